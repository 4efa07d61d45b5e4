"""Looks at what holds, every minute and after each cycle, and tells it by mail.

When to try again what failed: sooner at first, later each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from cloudforest.base.clock import Clock
from cloudforest.base.errors import CloudforestError, CredentialRejected, Rejected
from cloudforest.base.logs import report
from cloudforest.control_plane.notice_facts import (
    JobFacts,
    Listening,
    Standing,
    Telling,
    Undecided,
    of_agent,
    of_certificates,
    of_job,
    standing,
)
from cloudforest.model.identity import AgentRecord
from cloudforest.model.ports.identity import IdentityStore, RegistrationStore
from cloudforest.model.ports.notices import Mailer, NoticeStore
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Mail, Registration

FIRST = timedelta(minutes=1)
LONGEST = timedelta(hours=1)
_DOUBLINGS = 6


@dataclass
class Backoff:
    """Remembers failures by a key, in memory: a restart tries at once."""

    _failures: dict[Hashable, int] = field(default_factory=dict)
    _until: dict[Hashable, datetime] = field(default_factory=dict)

    def waits(self, key: Hashable, now: datetime) -> bool:
        return key in self._until and now < self._until[key]

    def failed(self, key: Hashable, now: datetime, *, longest: bool = False) -> None:
        """Wait 1 minute, doubling to an hour; `longest`: an hour at once."""
        failures = self._failures.get(key, 0)
        pause = min(FIRST * (1 << min(failures, _DOUBLINGS)), LONGEST)
        self._failures[key] = failures + 1
        self._until[key] = now + (LONGEST if longest else pause)

    def worked(self, key: Hashable) -> None:
        self._failures.pop(key, None)
        self._until.pop(key, None)


LOOK_SECONDS = 60.0
FINISH_SECONDS = 15.0
"""What a command that has done its work waits for a mail server at most."""

log = structlog.get_logger()


@dataclass
class Notices:
    """Derives from the stores what holds, so that a restart neither repeats nor loses.

    `open_mailer` resolves the secret; `certificates` are the control plane's own, with
    their ends.
    """

    registrations: RegistrationStore
    identities: IdentityStore
    provisioning: ProvisioningStore
    store: NoticeStore
    open_mailer: Callable[[Mail], Mailer]
    clock: Clock
    certificates: Mapping[str, datetime]
    _backoff: Backoff = field(default_factory=Backoff)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _since: datetime | None = None

    def after_cycle(self) -> None:
        """Have the next look at once; nobody waits for it."""
        self._changed.set()

    async def serve(self) -> None:
        """Look until cancelled."""
        self._since = self.clock()
        await self._look_and_go_on()
        while not _is_cancelled():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            await self._look_and_go_on()

    async def finish(self) -> None:
        """Look once more if a cycle has ended since the last look.

        What could not be told in time is told by whoever looks next.
        """
        if not self._changed.is_set():
            return
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                await self._look_and_go_on()
        except TimeoutError:
            log.warning("notice not sent", reason="The mail server takes too long.")

    async def _look_and_go_on(self) -> None:
        self._changed.clear()
        try:
            await self.look()
        except CloudforestError as error:
            log.warning("no look at what to tell", reason=str(error))
        except Exception as error:  # noqa: BLE001 - a bug here stops no cycle
            log.error("bug in a notice", report=str(report(error)))  # noqa: TRY400 - without values

    async def look(self) -> None:
        """Forget what holds no more; send what was not told."""
        _, registration = await self.registrations.registration()
        if registration is None:
            return
        found = await self._standing(registration)
        told = await self.store.told()
        await self.store.forget(found.cleared(told))
        mail = registration.tenant.mail
        if mail is not None:
            await self._tell(mail, found.untold(told))

    async def _standing(self, registration: Registration) -> Standing:
        cycles = await self.provisioning.last_cycles()
        agents = await self.identities.agents()
        stages = await self.provisioning.stages()
        quarantined = {
            name: each.quarantine.sentence
            for name, each in (await self.provisioning.job_states()).items()
            if each.quarantine is not None
        }
        facts = {
            job.name: JobFacts(
                cycles.get(job.name),
                tuple(each for each in stages if each.job == job.name),
                quarantined.get(job.name),
            )
            for job in registration.jobs
        }
        return standing(self._found(registration, facts, agents))

    def _found(
        self,
        registration: Registration,
        facts: Mapping[str, JobFacts],
        agents: list[AgentRecord],
    ) -> Iterator[Telling | Undecided]:
        now, tenant = self.clock(), registration.tenant
        for job in registration.jobs:
            yield from of_job(job, tenant, facts[job.name], now)
        listening = Listening(self._since, now)
        for agent in agents:
            yield from of_agent(agent, registration, listening)
        yield from of_certificates(self.certificates, tenant, now)

    async def _tell(self, mail: Mail, tellings: list[Telling]) -> None:
        """Send one by one; stop when the server would take none of the others."""
        for each in tellings:
            now = self.clock()
            if self._backoff.waits(mail, now) or _is_cancelled():
                return
            if each.recipients and not self._backoff.waits(each.occurrences, now):
                await self._send(mail, each)

    async def _send(self, mail: Mail, telling: Telling) -> None:
        about = telling.notice.headline
        try:
            refused = await self.open_mailer(mail).send(
                telling.notice, telling.recipients
            )
        except CloudforestError as error:
            self._failed(mail, telling, error)
            log.warning("notice not sent", notice=about, reason=str(error))
            return
        self._backoff.worked(mail)
        self._backoff.worked(telling.occurrences)
        await self.store.remember(telling.occurrences, self.clock())
        log.info("notice sent", notice=about)
        if refused:
            log.warning("recipients refused", notice=about, recipients=refused)

    def _failed(self, mail: Mail, telling: Telling, error: CloudforestError) -> None:
        now = self.clock()
        if isinstance(error, Rejected) and not isinstance(error, CredentialRejected):
            self._backoff.failed(telling.occurrences, now)
        else:
            # To insist on a wrong password may lock the account.
            longest = isinstance(error, CredentialRejected)
            self._backoff.failed(mail, now, longest=longest)


def _is_cancelled() -> bool:
    """Ask the task itself: the exception may be lost on its way.

    The SMTP client waits with `asyncio.wait_for`, which before Python 3.12 drops a
    cancellation that comes together with the answer (bpo-37658).
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
