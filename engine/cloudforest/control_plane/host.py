"""A control plane over HTTP in this process, for as long as a command needs one.

HTTP in this process: a socket of our own, so that a taken port is told plainly.

The embedded tenant directory, loaded when it is first asked: most never ask it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.tenant import TenantDirectory
from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import write_private
from cloudforest.base.secrets import Secret
from cloudforest.control_plane.api.app import make_app
from cloudforest.control_plane.assembly import Parts, assembled, new_token
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.control_plane.preview import Previews
from cloudforest.control_plane.state_folder import StateFolder, os_user
from cloudforest.hybrid.operators import LOCAL_OPERATOR, Operators

_POLL_SECONDS = 0.01
_LAST_PORT = 65535


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command that hosts us."""
        yield


def loopback(address: str) -> tuple[str, int]:
    """Return host and port of HOST:PORT; raises Misconfigured for another address."""
    host, _, port = address.rpartition(":")
    if not _is_loopback(host) or not port.isdecimal() or int(port) > _LAST_PORT:
        raise Misconfigured(
            f"--listen takes a loopback address and a port, not {address}; let a proxy "
            "that ends TLS stand in front of it for other machines."
        )
    return host.strip("[]"), int(port)


def listen(address: str) -> socket.socket:
    """Bind HOST:PORT. Only loopback: what ends TLS in front of it listens elsewhere."""
    host, port = loopback(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only a socket that says that it is TCP is told by asyncio to send at once; else
    # the body of an answer waits 40 ms for the client to acknowledge its head.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise Misconfigured(
            f"The control plane can't listen on {address} ({error.strerror}); "
            "stop what has that port, or give another one with --listen."
        ) from error
    bound.listen(128)
    return bound


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def url_of(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, bound: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        # Bugs have their report; what is cut off at the end is none.
        log_level="critical",
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="http")
    try:
        while not (server.started or task.done()):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        server.should_exit = True
        await task


@dataclass
class Tenant:
    """An ASGI application; see `front.http.tenant.tenant_app`."""

    directory: TenantDirectory
    authorized: Callable[[str], bool]
    _app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = await asyncio.to_thread(self._load)
        await self._app(scope, receive, send)

    def _load(self) -> ASGIApp:
        from cloudforest.control_plane.tenant.app import tenant_app  # noqa: PLC0415

        return tenant_app(self.directory, authorized=self.authorized)


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
