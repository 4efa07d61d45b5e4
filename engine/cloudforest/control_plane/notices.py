"""Sends notices by mail: checks every minute and after each cycle, with retries."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from cloudforest.base.clock import Backoff, Clock
from cloudforest.base.errors import CloudforestError, CredentialRejected, Rejected
from cloudforest.base.logs import write_bug_report
from cloudforest.control_plane.notice_facts import (
    ActiveNotice,
    AgentContact,
    Condition,
    JobNoticeFacts,
    find_agent_notices,
    find_certificate_notices,
    find_job_notices,
    select_ended,
    select_unsent,
)
from cloudforest.model.ports.identity import IdentityStore, RegistrationStore
from cloudforest.model.ports.notices import Mailer, NoticeStore
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Mail, Registration

CHECK_SECONDS = 60.0
FINISH_TIMEOUT_SECONDS = 15.0
"""How long a finished command waits for a mail server at most."""
BACKOFF = Backoff(first=timedelta(minutes=1), longest=timedelta(hours=1))

log = structlog.get_logger()


@dataclass
class NoticeBackoff:
    """Remembers failures by key, in memory: a restart retries at once."""

    _failures: dict[Hashable, int] = field(default_factory=dict)
    _until: dict[Hashable, datetime] = field(default_factory=dict)

    def is_waiting(self, key: Hashable, now: datetime) -> bool:
        return key in self._until and now < self._until[key]

    def record_failure(
        self, key: Hashable, now: datetime, *, longest: bool = False
    ) -> None:
        """Wait 1 minute, doubling up to an hour; with `longest` an hour at once."""
        self._failures[key] = self._failures.get(key, 0) + 1
        delay = BACKOFF.longest if longest else BACKOFF.delay(self._failures[key])
        self._until[key] = now + delay

    def record_success(self, key: Hashable) -> None:
        self._failures.pop(key, None)
        self._until.pop(key, None)


def _is_cancelled() -> bool:
    """Ask the task itself, because the exception may be lost.

    The SMTP client waits with `asyncio.wait_for`, which before Python 3.12 drops a
    cancellation that arrives together with the response (bpo-37658).
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@dataclass
class NoticeService:
    """Derives notices from the stores, so that a restart neither repeats nor loses any.

    `open_mailer` resolves the secret. `certificates` maps the control plane's own
    certificates to their expiry.
    """

    registrations: RegistrationStore
    identities: IdentityStore
    provisioning: ProvisioningStore
    store: NoticeStore
    open_mailer: Callable[[Mail], Mailer]
    clock: Clock
    certificates: Mapping[str, datetime]
    _backoff: NoticeBackoff = field(default_factory=NoticeBackoff)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _serving_since: datetime | None = None

    def after_cycle(self) -> None:
        """Trigger a check now, without waiting for it."""
        self._changed.set()

    async def serve(self) -> None:
        """Check until cancelled."""
        self._serving_since = self.clock()
        await self._check_and_log_errors()
        while not _is_cancelled():
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._changed.wait()
            await self._check_and_log_errors()

    async def check_once_more(self) -> None:
        """Check if a cycle has ended since the last check.

        Mail that failed is sent at the next check.
        """
        if not self._changed.is_set():
            return
        try:
            async with asyncio.timeout(FINISH_TIMEOUT_SECONDS):
                await self._check_and_log_errors()
        except TimeoutError:
            reason = "The mail server did not answer in time."
            log.warning("notice not sent", reason=reason)

    async def _check_and_log_errors(self) -> None:
        self._changed.clear()
        try:
            await self.check()
        except CloudforestError as error:
            log.warning("notices not checked", reason=str(error))
        except Exception as error:  # noqa: BLE001 - a bug here stops no cycle
            log.error("bug in a notice", report=str(write_bug_report(error)))  # noqa: TRY400 - without values

    async def check(self) -> None:
        """Forget ended conditions; send the notices that were not sent yet."""
        _, registration = await self.registrations.load_registration()
        if registration is None:
            return
        found = await self._find_conditions(registration)
        sent = await self.store.list_notified()
        await self.store.clear_notified(select_ended(found, sent))
        mail = registration.tenant.mail
        if mail is not None:
            await self._send_all(mail, select_unsent(found, sent))

    async def _find_conditions(self, registration: Registration) -> list[Condition]:
        cycles = await self.provisioning.load_last_cycles()
        agents = await self.identities.list_agents()
        stages = await self.provisioning.list_stages()
        states = await self.provisioning.load_job_states()
        now, tenant = self.clock(), registration.tenant
        found: list[Condition] = []
        for job in registration.jobs:
            state = states.get(job.name)
            quarantine = state.quarantine if state else None
            facts = JobNoticeFacts(
                cycles.get(job.name),
                tuple(each for each in stages if each.job == job.name),
                quarantine.sentence if quarantine else None,
            )
            found += find_job_notices(job, tenant, facts, now)
        contact = AgentContact(self._serving_since, now)
        for agent in agents:
            found += find_agent_notices(agent, registration, contact)
        found += find_certificate_notices(self.certificates, tenant, now)
        return found

    async def _send_all(self, mail: Mail, notices: list[ActiveNotice]) -> None:
        """Send one by one; stop when the server would accept no more."""
        for each in notices:
            now = self.clock()
            if self._backoff.is_waiting(mail, now) or _is_cancelled():
                return
            if each.recipients and not self._backoff.is_waiting(each.occurrences, now):
                await self._send(mail, each)

    async def _send(self, mail: Mail, active: ActiveNotice) -> None:
        headline = active.notice.headline
        try:
            mailer = self.open_mailer(mail)
            refused = await mailer.send(active.notice, active.recipients)
        except CloudforestError as error:
            # Retrying a wrong password may lock the account.
            longest = isinstance(error, CredentialRejected)
            about_notice = isinstance(error, Rejected) and not longest
            key = active.occurrences if about_notice else mail
            self._backoff.record_failure(key, self.clock(), longest=longest)
            log.warning("notice not sent", notice=headline, reason=str(error))
            return
        self._backoff.record_success(mail)
        self._backoff.record_success(active.occurrences)
        await self.store.mark_notified(active.occurrences, self.clock())
        log.info("notice sent", notice=headline)
        if refused:
            log.warning("recipients refused", notice=headline, recipients=refused)
