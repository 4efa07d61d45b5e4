"""Assembles a control plane from stores, keys, bus and targets, and closes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
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
from cloudforest.control_plane.jobs import JobService
from cloudforest.control_plane.notices import NoticeService
from cloudforest.control_plane.plane import ControlPlane
from cloudforest.control_plane.preview import TroubleReportingBus
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
class HostOptions:
    """How to host a control plane.

    `store` is a database URL (None: SQLite in the state folder). `bus`: start a service
    bus, without which no agent can be asked. Secret files are relative to `tree`, whose
    local agents are read directly for plans.
    """

    store: str | None = None
    listen: str = "127.0.0.1:0"
    bus: bool = True
    tree: Path | None = None


@dataclass(frozen=True)
class _ServiceBus:
    """Our service bus, if it runs, and the authority that mints its credentials."""

    authority: BusAuthority
    server: BusServer | None = None
    connection: AgentBus | None = None
    certificates: dict[str, datetime] = field(default_factory=dict)

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


async def _start_bus(
    folder: StateFolder, ca: CertificateAuthority, stack: AsyncExitStack
) -> _ServiceBus:
    authority = open_bus_authority(folder.keys)
    expires = ca.write_server_files(folder.bus, system_clock())
    server = BusServer(folder.bus, authority)
    stack.push_async_callback(server.stop)
    await server.start()
    connection = await open_agent_bus(authority, server.endpoint)
    stack.push_async_callback(connection.close)
    server.on_endpoint_change = connection.set_endpoint
    return _ServiceBus(authority, server, connection, {"service bus": expires})


def _open_mailer(mail: Mail, tree: Path) -> SmtpMailer:
    """Open the mailer with its secret, which is resolved in this process only."""
    password = read_secret(mail.auth.password, tree) if mail.auth else None
    return SmtpMailer(mail, str(tree / mail.ca) if mail.ca else None, password)


@asynccontextmanager
async def open_control_plane(
    folder: StateFolder, options: HostOptions, url: str, directory_token: Secret
) -> AsyncIterator[ControlPlane]:
    """Open the control plane that is served at `url`.

    `directory_token` is its credential for its own built-in directory.
    """
    async with AsyncExitStack() as stack:
        database = Database(options.store or f"sqlite:///{folder.database}")
        stack.callback(database.close)
        await migrate(database)
        provisioning = SqlProvisioningStore(database)
        await provisioning.drop_scratch_data()
        authority = open_authority(folder.keys, system_clock())
        bus = (
            await _start_bus(folder, authority, stack)
            if options.bus
            else _ServiceBus(open_bus_authority(folder.keys))
        )
        identities = SqlIdentityStore(database)
        registrations = SqlRegistrationStore(database)
        tree = folder.resolve_tree(options.tree)
        operators = Operators(identities, system_clock)
        notices = NoticeService(
            registrations,
            identities,
            provisioning,
            SqlNoticeStore(database),
            lambda mail: _open_mailer(mail, tree),
            system_clock,
            bus.certificates,
        )
        runner = JobRunner(
            registrations,
            provisioning,
            bus.connection and TroubleReportingBus(bus.connection, identities),
            TargetOpener(f"{url}/scim/v2", directory_token, tree),
            system_clock,
            notices.after_cycle,
        )
        plane = ControlPlane(
            identities=identities,
            enrolment=EnrolmentService(identities, authority, system_clock),
            bootstrapping=BootstrapService(
                identities, registrations, authority, bus.grant_access, system_clock
            ),
            operators=operators,
            runner=runner,
            stage_decisions=StageDecisions(runner, operators),
            jobs=JobService(runner, operators, identities),
            impacts=ImpactService(runner, identities, options.tree),
            notices=notices,
            clock=system_clock,
        )
        stack.push_async_callback(plane.close)
        yield plane
        await plane.notices.check_once_more()
