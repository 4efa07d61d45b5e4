"""From the stores to one mail per occurrence: real stores and a real mail server."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import structlog
from structlog.testing import capture_logs
from tests.servers.mail import PASSWORD, USERNAME
from tests.support.clock import ManualClock

from cloudforest.adapters.mail import SEND_SECONDS, SmtpMailer
from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.identity import SqlIdentityStore, SqlNoticeStore
from cloudforest.adapters.store.migrate import migrate
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.adapters.store.registration import SqlRegistrationStore, save_agent
from cloudforest.base.secrets import Secret
from cloudforest.control_plane import notices
from cloudforest.control_plane.notices import NoticeService
from cloudforest.model.cycles import Cycle
from cloudforest.model.identity import AgentRecord
from cloudforest.model.registration import (
    BasicAuth,
    Job,
    Mail,
    Registration,
    SecretReference,
    Tenant,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class World:
    """A control plane's stores, its mail server, and the clock."""

    def __init__(self, database, server):
        self.database, self.server = database, server
        self.clock = ManualClock(NOON)
        self.password = PASSWORD
        self.started()

    def started(self):
        """Start over with the same stores."""
        self.notices = NoticeService(
            SqlRegistrationStore(self.database),
            SqlIdentityStore(self.database),
            SqlProvisioningStore(self.database),
            SqlNoticeStore(self.database),
            self.open_mailer,
            self.clock,
            {},
        )

    def open_mailer(self, mail):
        ca = str(self.server.certificates.ca)
        return SmtpMailer(mail, ca, Secret(self.password))

    async def register(self, *, port=None, jobs=("people",), base=0):
        password = SecretReference(env="SMTP_PASSWORD")
        mail = Mail(
            server="localhost",
            port=port or self.server.port,
            tls="starttls",
            sender="cloudforest@contoso.com",
            auth=BasicAuth(username=USERNAME, password=password),
        )
        tenant = Tenant(
            name="contoso", scenario="x", notify=("it@contoso.com",), mail=mail
        )
        registration = Registration(tenant=tenant, jobs=tuple(map(job, jobs)))
        await SqlRegistrationStore(self.database).register(
            registration, base=base, operator="o", now=NOON
        )

    async def cycle(self, state, *, job="people"):
        """End a cycle, and check for notices."""
        await self.end_cycle(state, job=job)
        await self.notices.check()

    async def end_cycle(self, state, *, job="people"):
        self.clock.now += MINUTE
        ended = Cycle(
            id=uuid.uuid4().hex,
            job=job,
            target="cloud",
            kind="incremental",
            state=state,
            started=self.clock.now,
        )
        await SqlProvisioningStore(self.database).finish_cycle(
            ended, lambda health: health
        )

    async def later(self, time=MINUTE):
        self.clock.now += time
        await self.notices.check()

    async def has_forgotten(self):
        return not await self.notices.store.list_notified()

    @property
    def subjects(self):
        return [each.message["Subject"] for each in self.server.letters]


def job(name):
    return Job(
        name=name,
        domain="contoso.com",
        target="cloud",
        scope="all",
        mappings=(),
        interval=120,
        notify=(f"{name}@contoso.com",),
    )


@pytest.fixture
async def world(tmp_path, mail_server):
    database = Database(f"sqlite:///{tmp_path / 'state.db'}")
    await migrate(database)
    made = World(database, mail_server())
    await made.register()
    yield made
    database.close()


BLOCKED = "[cloudforest contoso] Job people is blocked by a guard"


async def test_blocked_job_is_reported_once_to_its_own_addresses(world):
    await world.cycle("blocked")
    await world.cycle("blocked")
    await world.later()
    assert world.subjects == [BLOCKED]
    assert world.server.letters[0].recipients == ["people@contoso.com"]


async def test_restart_does_not_send_notices_again(world):
    await world.cycle("blocked")
    world.started()
    await world.cycle("blocked")
    assert world.subjects == [BLOCKED]


async def test_condition_that_returns_is_reported_again(world):
    await world.cycle("blocked")
    await world.cycle("succeeded")
    await world.cycle("blocked")
    assert world.subjects == [BLOCKED] * 2


async def test_failed_cycle_in_between_does_not_repeat_the_notice(world):
    await world.cycle("blocked")
    await world.cycle("failed")
    await world.cycle("blocked")
    assert world.subjects == [BLOCKED]


async def test_removed_job_leaves_no_notices(world):
    await world.cycle("blocked")
    await world.register(jobs=(), base=1)
    await world.later()
    assert await world.has_forgotten()


async def test_unreachable_mail_server_is_retried(world):
    world.server.stop()
    with capture_logs() as logs:
        await world.cycle("blocked")
    [failure] = [each for each in logs if each["event"] == "notice not sent"]
    assert f"localhost:{world.server.port}" in failure["reason"]
    world.server.start()
    await world.later(MINUTE / 2)
    assert world.subjects == []
    await world.later(MINUTE)
    assert world.subjects == [BLOCKED]


async def test_unsent_notice_is_sent_after_a_restart(world):
    world.server.stop()
    await world.cycle("blocked")
    world.server.start()
    world.started()
    await world.later()
    assert world.subjects == [BLOCKED]


async def test_wrong_password_is_retried_after_an_hour_and_not_logged(world, capsys):
    world.password = "canary-wrong-password"
    structlog.reset_defaults()
    await world.cycle("blocked")
    tries = len(world.server.logins)
    await world.later(MINUTE * 30)
    assert len(world.server.logins) == tries
    assert world.subjects == []
    world.password = PASSWORD
    await world.later(MINUTE * 31)
    assert world.subjects == [BLOCKED]
    printed = "".join(capsys.readouterr())
    assert "notice not sent" in printed
    assert "canary" not in printed


async def test_corrected_mail_server_is_used_at_once(world):
    right = world.server.port
    await world.register(port=1, base=1)
    await world.cycle("blocked")
    assert world.subjects == []
    await world.register(port=right, base=2)
    await world.later(timedelta())
    assert world.subjects == [BLOCKED]


async def test_undeliverable_notice_does_not_delay_others(world):
    await world.register(jobs=("clerks", "people"), base=1)
    world.server.refused = frozenset({"clerks@contoso.com"})
    await world.cycle("blocked", job="clerks")
    await world.cycle("blocked")
    assert world.subjects == [BLOCKED]
    world.server.refused = frozenset()
    await world.later(HOUR)
    assert len(world.subjects) == 2


async def test_inactive_agent_is_reported_by_the_server_until_it_returns(world):
    record = AgentRecord(
        id="1", name="sync01", domains=("contoso.com",), last_bootstrap=NOON
    )
    await world.database.run(lambda connection: save_agent(connection, record))
    async with serving(world):
        world.clock.now += HOUR + MINUTE
        world.notices.after_cycle()
        await until(world.notices.store.list_notified)
        back = msgspec.structs.replace(record, last_bootstrap=world.clock.now)
        await world.database.run(lambda connection: save_agent(connection, back))
        world.notices.after_cycle()
        await until(world.has_forgotten)
    assert world.subjects == ["[cloudforest contoso] Agent sync01 is inactive"]
    assert world.server.letters[0].recipients == [
        *("it@contoso.com", "people@contoso.com"),
    ]


async def until(condition):
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def serving(world):
    task = asyncio.create_task(world.notices.serve())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=30)
    assert task.done()


async def test_notices_are_checked_right_after_a_cycle(world):
    async with serving(world):
        await world.end_cycle("blocked")
        world.notices.after_cycle()
        await until(world.notices.store.list_notified)
    assert world.subjects == [BLOCKED]


class Deaf:
    """Loses a cancellation, as Python 3.11 may."""

    def __init__(self):
        self.asked = asyncio.Event()

    async def send(self, _notice, _recipients):
        self.asked.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return ()


async def test_notices_stop_when_requested(world):
    deaf = Deaf()
    world.notices.open_mailer = lambda _mail: deaf
    await world.end_cycle("blocked")
    async with serving(world):
        await deaf.asked.wait()


async def test_command_sends_notices_of_its_cycle_before_it_ends(world):
    await world.end_cycle("blocked")
    await world.notices.check_once_more()
    assert world.subjects == []
    world.notices.after_cycle()
    await world.notices.check_once_more()
    assert world.subjects == [BLOCKED]


async def test_bug_in_a_check_does_not_stop_the_checks(world):
    def broken(_mail):
        raise RuntimeError

    world.notices.open_mailer = broken
    await world.end_cycle("blocked")
    world.notices.after_cycle()
    with capture_logs() as logs:
        await world.notices.check_once_more()
    assert [each["event"] for each in logs] == ["bug in a notice"]


async def test_ending_command_does_not_wait_without_limit(world, mail_server):
    silent = mail_server(dawdles=True)
    await world.register(port=silent.port, base=1)
    await world.end_cycle("blocked")
    world.notices.after_cycle()
    with pytest.MonkeyPatch.context() as quick, capture_logs() as logs:
        quick.setattr(notices, "FINISH_TIMEOUT_SECONDS", 0.5)
        async with asyncio.timeout(SEND_SECONDS / 2):
            await world.notices.check_once_more()
    assert [each["event"] for each in logs] == ["notice not sent"]
