"""Assembles a control plane from stores, keys, bus and targets, and closes it."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cloudforest.adapters.bus.credentials import BusAuthority, open_bus_authority
from cloudforest.adapters.bus.server import BusServer
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
from cloudforest.control_plane.impact import ImpactService
from cloudforest.control_plane.jobs import JobControls, StatusReader
from cloudforest.control_plane.notices import NoticeService
from cloudforest.control_plane.objects import ObjectService
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.control_plane.preview import LocalPreviews, TroubleReportingBus
from cloudforest.control_plane.runs import JobRunner, TargetOpener
from cloudforest.control_plane.stages import StageDecisions
from cloudforest.control_plane.state_folder import StateFolder
from cloudforest.hybrid.authority import CertificateAuthority, open_authority
from cloudforest.hybrid.bootstrap import BootstrapService
from cloudforest.hybrid.enrolment import EnrolmentService
from cloudforest.hybrid.operators import Operators
from cloudforest.model.identity import AgentRecord, BusAccess
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.registration import Mail


@dataclass(frozen=True)
class ControlPlaneParts:
    """What a control plane is assembled from.

    `url` is where it will be served. `directory_token` is its credential for its own
    built-in directory. `store` is a database URL (None: SQLite in the state folder).
    `bus`: start a service bus, without which no agent can be asked. Secret files are
    relative to `tree`.
    """

    folder: StateFolder
    url: str
    directory_token: Secret
    store: str | None = None
    bus: bool = True
    previews: LocalPreviews | None = None
    tree: Path | None = None


@dataclass(frozen=True)
class _ServiceBus:
    """Our service bus, if it runs, and the authority that mints its credentials."""

    authority: BusAuthority
    server: BusServer | None = None
    connection: AgentBus | None = None
    certificate_expires: datetime | None = None

    @property
    def certificates(self) -> dict[str, datetime]:
        ends = self.certificate_expires
        return {"service bus": ends} if ends else {}

    def grant_access(self, record: AgentRecord, nkey: str, now: datetime) -> BusAccess:
        if self.server is None:
            raise Unavailable(
                "This control plane has no service bus: it serves a single command. "
                "Run `cloudforest serve` and bootstrap again."
            )
        # Read each time: the endpoint changes when the server is restarted.
        endpoint = self.server.endpoint
        return self.authority.mint_agent_access(
            record.id, record.domains, nkey=nkey, endpoint=endpoint, now=now
        )


def new_token() -> Secret:
    return Secret(secrets.token_urlsafe(32))


async def _start_bus(
    parts: ControlPlaneParts, ca: CertificateAuthority, stack: AsyncExitStack
) -> _ServiceBus:
    authority = open_bus_authority(parts.folder.keys)
    if not parts.bus:
        return _ServiceBus(authority)
    expires = ca.write_server_files(parts.folder.bus, system_clock())
    server = BusServer(parts.folder.bus, authority)
    stack.push_async_callback(server.stop)
    await server.start()
    connection = await open_agent_bus(
        authority, endpoint=server.endpoint, clock=system_clock
    )
    stack.push_async_callback(connection.close)
    server.on_endpoint_change = connection.set_endpoint
    return _ServiceBus(authority, server, connection, expires)


def _open_mailer(mail: Mail, tree: Path) -> SmtpMailer:
    """Open the mailer with its secret, which is resolved in this process only."""
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


def _assemble(
    database: Database,
    authority: CertificateAuthority,
    bus: _ServiceBus,
    parts: ControlPlaneParts,
) -> ControlPlane:
    identities = SqlIdentityStore(database)
    registrations = SqlRegistrationStore(database)
    provisioning = SqlProvisioningStore(database)
    tree = parts.folder.resolve_tree(parts.tree)
    targets = TargetOpener(
        f"{parts.url}/scim/v2",
        parts.directory_token,
        os.environ,
        tree,
    )
    runs = JobRunner(provisioning, targets, system_clock)
    agent_bus = bus.connection and TroubleReportingBus(bus.connection, identities)
    operators = Operators(identities, system_clock)
    job_controls = JobControls(
        registrations, provisioning, operators, runs.locks, system_clock
    )
    return ControlPlane(
        registrations=registrations,
        identities=identities,
        provisioning=provisioning,
        enrolment=EnrolmentService(identities, authority, system_clock),
        bootstrapping=BootstrapService(
            identities, registrations, authority, bus.grant_access, system_clock
        ),
        operators=operators,
        runner=runs,
        stage_decisions=StageDecisions(
            provisioning, operators, runs.locks, system_clock
        ),
        objects=ObjectService(runs, registrations, operators, agent_bus),
        job_controls=job_controls,
        status_reader=StatusReader(
            identities, provisioning, job_controls, runs.locks, system_clock
        ),
        impacts=ImpactService(
            runs, registrations, identities, agent_bus, parts.previews
        ),
        notices=NoticeService(
            registrations,
            identities,
            provisioning,
            SqlNoticeStore(database),
            lambda mail: _open_mailer(mail, tree),
            system_clock,
            bus.certificates,
        ),
        clock=system_clock,
        bus=agent_bus,
    )


@asynccontextmanager
async def open_control_plane(parts: ControlPlaneParts) -> AsyncIterator[ControlPlane]:
    async with AsyncExitStack() as stack:
        url = parts.store or f"sqlite:///{parts.folder.database}"
        database = Database(url)
        stack.callback(database.close)
        await migrate(database)
        await SqlProvisioningStore(database).drop_scratch_data()
        authority = open_authority(parts.folder.keys, system_clock())
        bus = await _start_bus(parts, authority, stack)
        plane = _assemble(database, authority, bus, parts)
        stack.push_async_callback(plane.close)
        yield plane
        await plane.notices.check_once_more()
