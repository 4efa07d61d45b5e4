"""The domains of an agent: opened as configured, served while their directory answers.

A change hint tells the service at once that a domain changed. It only starts a cycle
sooner; the schedule finds whatever hints miss.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from cloudforest.agent.bindings import HostBinding, HostBindings, find_refusal
from cloudforest.base.clock import Clock
from cloudforest.base.errors import CloudforestError, CredentialRejected
from cloudforest.model.identity import BootstrapResponse
from cloudforest.model.messages import Page, SyncRequest
from cloudforest.model.ports.bus import ListenerBus, RequestHandler
from cloudforest.model.ports.directory import Directory
from cloudforest.model.registration import Domain

CHANGE_HINT_INTERVAL = 1.0
"""Seconds between two hints about a domain."""
WATCH_PAUSE = 10.0
"""Seconds before an interrupted watch starts again."""
CREDENTIAL_PAUSE = timedelta(hours=1)
"""After a refused password: each attempt brings the account closer to a lockout."""
IDENTIFY_SECONDS = 15.0
"""Per controller: silent ones are waited for one after the other."""
_NOT_CHECKED = "not checked yet"

OpenDirectory = Callable[[Domain, HostBinding], Directory]
"""Opens a domain with this host's binding; may raise Misconfigured."""

AnswererFactory = Callable[[Mapping[str, Directory]], RequestHandler]
"""Answers from the open directories, by domain; they come and go."""

log = structlog.get_logger()


async def _send_on_change(
    bus: ListenerBus, domain: str, changed: asyncio.Event
) -> None:
    """Send the first change at once, and combine those that follow."""
    while True:
        await changed.wait()
        changed.clear()
        await bus.send_hint(domain)
        await asyncio.sleep(CHANGE_HINT_INTERVAL)


async def send_change_hints(
    bus: ListenerBus, domain: str, directory: Directory, *, has_gap: bool = False
) -> None:
    """Send hints until cancelled; return if the directory cannot be watched.

    `has_gap`: it was not watched for a while, so send one at once.
    """
    changed = asyncio.Event()
    if has_gap:
        changed.set()
    sending = asyncio.create_task(
        _send_on_change(bus, domain, changed), name=f"hints of {domain}"
    )
    try:
        while True:
            pause = WATCH_PAUSE
            try:
                async for _ in directory.watch_changes():
                    changed.set()
            except CloudforestError as error:
                if isinstance(error, CredentialRejected):
                    pause = CREDENTIAL_PAUSE.total_seconds()
                log.info("watching interrupted", domain=domain, reason=str(error))
            else:
                log.info("directory cannot be watched", domain=domain)
                return
            await asyncio.sleep(pause)
            changed.set()  # Changes during the pause were not seen.
    finally:
        sending.cancel()


@dataclass
class _ServedDomain:
    """A domain; `trouble` is why its directory does not answer, None if it does.

    It is not checked before `paused_until`.
    """

    domain: Domain
    binding: HostBinding
    trouble: str | None = _NOT_CHECKED
    paused_until: datetime | None = None
    change_hint_task: asyncio.Task[None] | None = None

    def timeout_seconds(self) -> float:
        directory = self.domain.source.active_directory
        return IDENTIFY_SECONDS * (len(directory.controllers) if directory else 1)


@dataclass
class ServedDomains:
    """Listens for a domain only while its directory answers.

    Otherwise an agent with a dead controller takes its share of requests (measured).
    """

    bus: ListenerBus
    open_directory: OpenDirectory
    answerer_factory: AnswererFactory
    clock: Clock
    _open_directories: dict[str, Directory] = field(default_factory=dict)
    _served: dict[str, _ServedDomain] = field(default_factory=dict)
    _refusals: dict[str, str] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._answerer = self.answerer_factory(self._open_directories)

    @property
    def troubles(self) -> dict[str, str]:
        """Why each domain without a listener has none."""
        checked = {name: served.trouble for name, served in self._served.items()}
        return self._refusals | {
            name: why for name, why in checked.items() if why is not None
        }

    async def configure(
        self, response: BootstrapResponse, bindings: HostBindings
    ) -> None:
        """Close domains that are gone, changed or no longer allowed; open new ones."""
        allowed: dict[str, tuple[Domain, HostBinding]] = {}
        refused: dict[str, str] = {}
        for domain in response.domains:
            name = domain.name
            reason = find_refusal(domain, response.credentials.get(name), bindings)
            if reason is None:
                allowed[name] = (domain, bindings[name])
                continue
            refused[name] = reason
            if self._refusals.get(name) != reason:
                log.warning("domain refused", domain=name, reason=reason)
        self._refusals = refused
        async with self._lock:
            for name, served in tuple(self._served.items()):
                if allowed.get(name) != (served.domain, served.binding):
                    await self._close_domain(name)
            for name, (domain, binding) in allowed.items():
                self._served.setdefault(name, _ServedDomain(domain, binding))
        await self.check_directories()

    async def check_directories(self, only_domain: str | None = None) -> None:
        """Check all directories in parallel; start or stop to listen for them."""
        async with self._lock, asyncio.TaskGroup() as group:
            now = self.clock()
            for name, served in self._served.items():
                paused = served.paused_until is not None and served.paused_until > now
                if not paused and only_domain in {None, name}:
                    group.create_task(self._check_directory(served))

    async def _check_directory(self, served: _ServedDomain) -> None:
        before = served.trouble
        served.trouble = await self._find_trouble(served)
        name = served.domain.name
        if served.trouble is None and before is not None:
            log.info("directory answers", domain=name)
        elif served.trouble is not None and served.trouble != before:
            await self._stop_serving(served)
            log.warning("directory does not answer", domain=name, reason=served.trouble)

    async def _find_trouble(self, served: _ServedDomain) -> str | None:
        name = served.domain.name
        try:
            if name not in self._open_directories:
                self._open_directories[name] = self.open_directory(
                    served.domain, served.binding
                )
            directory = self._open_directories[name]
            async with asyncio.timeout(served.timeout_seconds()):
                await directory.identify_domain()
            if served.trouble is not None:
                await self._start_serving(served, directory)
        except CredentialRejected as error:
            # Opening it again reads the credential again.
            served.paused_until = self.clock() + CREDENTIAL_PAUSE
            await self._close_directory(name)
            return f"{error} The agent tries again in 1 h, or after a restart."
        except CloudforestError as error:
            return str(error)
        except TimeoutError:
            return f"The directory did not answer for {served.timeout_seconds():g} s."
        return None

    async def _close_directory(self, name: str) -> None:
        directory = self._open_directories.pop(name, None)
        if directory is not None:
            await directory.close()

    async def _start_serving(self, served: _ServedDomain, directory: Directory) -> None:
        name, away = served.domain.name, served.trouble != _NOT_CHECKED
        await self.bus.listen(name, partial(self._answer, name))
        served.change_hint_task = asyncio.create_task(
            send_change_hints(self.bus, name, directory, has_gap=away),
            name=f"hints of {name}",
        )

    async def _answer(self, name: str, request: SyncRequest) -> AsyncIterator[Page]:
        """Answer; check the directory before a failed answer ends.

        The service asks again at once. By then this agent must not take a request that
        one with a working directory could answer.
        """
        async for page in self._answerer(request):
            if page.closing is not None and page.closing.error is not None:
                await self.check_directories(name)
            yield page

    async def _stop_serving(self, served: _ServedDomain) -> None:
        await self.bus.unlisten(served.domain.name)
        if served.change_hint_task is not None:
            served.change_hint_task.cancel()
            await asyncio.gather(served.change_hint_task, return_exceptions=True)
            served.change_hint_task = None

    async def _close_domain(self, name: str) -> None:
        served = self._served.pop(name)
        await self._stop_serving(served)
        await self._close_directory(name)

    async def close(self) -> None:
        async with self._lock:
            for name in tuple(self._served):
                await self._close_domain(name)
