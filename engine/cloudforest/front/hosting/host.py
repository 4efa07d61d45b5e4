"""A control plane over HTTP in this process, for as long as a command needs one."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.adapters.store.engine import Database
from cloudforest.adapters.store.tenant import TenantDirectory
from cloudforest.base.files import write_private
from cloudforest.base.secrets import Secret
from cloudforest.front.hosting.server import listen, serving, url_of
from cloudforest.front.hosting.tenant import Tenant
from cloudforest.front.http.app import make_app
from cloudforest.front.state import StateFolder
from cloudforest.front.user import os_user
from cloudforest.front.wiring.assembly import Parts, assembled, new_token
from cloudforest.front.wiring.control_plane import ControlPlane
from cloudforest.front.wiring.opened.previews import Previews
from cloudforest.hybrid.operators import LOCAL_OPERATOR, Operators


@dataclass(frozen=True)
class Hosting:
    """How it is hosted; see `wiring.assembly.Parts`."""

    store: str | None = None
    listen: str = "127.0.0.1:0"
    bus: bool = True
    previews: Previews | None = None
    tree: Path | None = None


@dataclass(frozen=True)
class Hosted:
    url: str
    token: Secret
    plane: ControlPlane

    def client(self) -> ControlPlaneClient:
        return ControlPlaneClient(self.url, self.token, user=os_user())


@asynccontextmanager
async def host(folder: StateFolder, hosting: Hosting) -> AsyncIterator[Hosted]:
    """Hold the state, serve HTTP, and clean up; raises Busy if another does."""
    with ExitStack() as stack:
        stack.enter_context(folder.hold())
        bound = stack.enter_context(listen(hosting.listen))
        parts = Parts(
            folder=folder,
            url=url_of(bound),
            tenant_token=new_token(),
            store=hosting.store,
            bus=hosting.bus,
            previews=hosting.previews,
            tree=hosting.tree,
        )
        tenant = stack.enter_context(_tenant(folder, parts.tenant_token))
        async with (
            assembled(parts) as plane,
            serving(make_app(plane, tenant), bound),
        ):
            token = await _local_token(folder, plane.operators)
            # Without a bus it serves one command, and ends with it: no use to others.
            if hosting.bus:
                stack.enter_context(folder.announce(parts.url))
            yield Hosted(parts.url, token, plane)


async def _local_token(folder: StateFolder, operators: Operators) -> Secret:
    """Return the token of whoever may read the state folder; made once."""
    file = folder.operator_token
    if not file.exists():
        token = await operators.add(LOCAL_OPERATOR, "allow")
        write_private(file, token.encode())
    return Secret(file.read_text(encoding="ascii"))


@contextmanager
def _tenant(folder: StateFolder, token: Secret) -> Iterator[ASGIApp]:
    database = Database(f"sqlite:///{folder.tenant_database}")
    try:
        yield Tenant(
            TenantDirectory(database),
            lambda given: secrets.compare_digest(given, token.reveal()),
        )
    finally:
        database.close()
