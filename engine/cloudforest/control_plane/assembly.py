"""Puts stores, keys, bus and targets into one control plane, and takes it apart."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cloudforest.adapters.bus.credentials import BusAuthority, bus_authority
from cloudforest.adapters.bus.server import BusServer, TlsFiles
from cloudforest.adapters.bus.service import open_agent_bus
from cloudforest.adapters.mail import SmtpMailer
from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.identity import SqlIdentityStore, SqlNoticeStore
from cloudforest.adapters.store.migrate import migrate
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.adapters.store.registration import SqlRegistrationStore
from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Unavailable
from cloudforest.base.secrets import Secret, read_secret
from cloudforest.control_plane.impact import Impacts
from cloudforest.control_plane.jobs import Steering, Watching
from cloudforest.control_plane.notices import Notices
from cloudforest.control_plane.objects import Objects
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.control_plane.preview import ExplainedBus, Previews
from cloudforest.control_plane.runs import Runs, Targets
from cloudforest.control_plane.stages import Decisions
from cloudforest.control_plane.state_folder import StateFolder
from cloudforest.hybrid.authority import Authority, open_authority
from cloudforest.hybrid.bootstrap import Bootstrap
from cloudforest.hybrid.enrolment import Enrolment
from cloudforest.hybrid.operators import Operators
from cloudforest.model.identity import AgentRecord, BusAccess
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.registration import Mail


@dataclass(frozen=True)
class Parts:
    """What a control plane is made of. `bus`: agents can be asked, over NATS.

    `store` is a database URL; None: SQLite in the state folder. `url` is where it will
    be served, and `tenant_token` lets it into its own tenant directory. Files that
    hold secrets are relative to `tree`.
    """

    folder: StateFolder
    url: str
    tenant_token: Secret
    store: str | None = None
    bus: bool = True
    previews: Previews | None = None
    tree: Path | None = None


@dataclass(frozen=True)
class _Bus:
    """The bus that we keep, if we keep one, and what mints its credentials."""

    authority: BusAuthority
    server: BusServer | None = None
    connection: AgentBus | None = None
    certificate_expires: datetime | None = None

    @property
    def certificates(self) -> dict[str, datetime]:
        ends = self.certificate_expires
        return {"service bus": ends} if ends else {}

    def mint(self, record: AgentRecord, nkey: str, now: datetime) -> BusAccess:
        if self.server is None:
            raise Unavailable(
                "This control plane has no bus: it only answers a command. "
                "Run `cloudforest serve`, and bootstrap again."
            )
        # Asked anew each time: it may have moved.
        endpoint = self.server.endpoint
        return self.authority.agent_access(
            record.id, record.domains, nkey=nkey, endpoint=endpoint, now=now
        )


def new_token() -> Secret:
    return Secret(secrets.token_urlsafe(32))


@asynccontextmanager
async def assembled(parts: Parts) -> AsyncIterator[ControlPlane]:
    async with AsyncExitStack() as stack:
        url = parts.store or f"sqlite:///{parts.folder.database}"
        database = Database(url)
        stack.callback(database.close)
        await migrate(database)
        await SqlProvisioningStore(database).drop_scratch()
        authority = open_authority(parts.folder.keys, system_clock())
        bus = await _bus(parts, authority, stack)
        plane = _control_plane(database, authority, bus, parts)
        stack.push_async_callback(plane.end)
        yield plane
        await plane.notices.finish()


async def _bus(parts: Parts, ca: Authority, stack: AsyncExitStack) -> _Bus:
    authority = bus_authority(parts.folder.keys)
    if not parts.bus:
        return _Bus(authority)
    files = ca.write_server(parts.folder.bus, system_clock())
    tls = TlsFiles(files.certificate, files.key, files.ca)
    server = BusServer(parts.folder.bus, authority, tls)
    stack.push_async_callback(server.stop)
    await server.start()
    connection = await open_agent_bus(
        authority, endpoint=server.endpoint, clock=system_clock
    )
    stack.push_async_callback(connection.close)
    server.moved = connection.move
    return _Bus(authority, server, connection, files.expires)


def _control_plane(
    database: Database, authority: Authority, bus: _Bus, parts: Parts
) -> ControlPlane:
    identities = SqlIdentityStore(database)
    registrations = SqlRegistrationStore(database)
    provisioning = SqlProvisioningStore(database)
    tree = parts.folder.tree(parts.tree)
    targets = Targets(
        f"{parts.url}/scim/v2",
        parts.tenant_token,
        os.environ,
        tree,
    )
    runs = Runs(provisioning, targets, system_clock)
    asked = bus.connection and ExplainedBus(bus.connection, identities)
    operators = Operators(identities, system_clock)
    steering = Steering(
        registrations, provisioning, operators, runs.turns, system_clock
    )
    return ControlPlane(
        registrations=registrations,
        identities=identities,
        provisioning=provisioning,
        enrolment=Enrolment(identities, authority, system_clock),
        bootstrapping=Bootstrap(
            identities, registrations, authority, bus.mint, system_clock
        ),
        operators=operators,
        runs=runs,
        decisions=Decisions(provisioning, operators, runs.turns, system_clock),
        objects=Objects(runs, registrations, operators, asked),
        steering=steering,
        watching=Watching(identities, provisioning, steering, runs.turns, system_clock),
        impacts=Impacts(runs, registrations, identities, asked, parts.previews),
        notices=Notices(
            registrations,
            identities,
            provisioning,
            SqlNoticeStore(database),
            lambda mail: _mailer(mail, tree),
            system_clock,
            bus.certificates,
        ),
        clock=system_clock,
        bus=asked,
    )


def _mailer(mail: Mail, tree: Path) -> SmtpMailer:
    """Open it with its secret, resolved in this process only."""
    password = None
    if mail.auth is not None:
        reference = mail.auth.password
        password = read_secret(
            env=reference.env,
            file=reference.file,
            environment=os.environ,
            folder=tree,
        )
    return SmtpMailer(mail, str(tree / mail.ca) if mail.ca else None, password)
