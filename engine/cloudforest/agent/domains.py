"""The domains of this agent: opened as configured, served while they answer.

Hints: the service is told at once that something has changed in a domain.

They make a cycle start sooner, nothing else: the schedule finds out what they miss.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from cloudforest.agent.bindings import Binding, Bindings, check
from cloudforest.base.clock import Clock
from cloudforest.base.errors import CloudforestError, CredentialRejected
from cloudforest.model.identity import BootstrapResponse
from cloudforest.model.messages import Page, SyncRequest
from cloudforest.model.ports.bus import Answerer, ListenerBus
from cloudforest.model.ports.directory import Directory
from cloudforest.model.registration import Domain

INTERVAL = 1.0
"""Seconds between two hints about a domain."""
PAUSE = 10.0
"""Seconds until a directory that has stopped telling is watched again."""
HINT_CREDENTIAL_PAUSE = 3600.0
"""Seconds after a refused password: each try brings the account closer to a lock."""


async def _tell(bus: ListenerBus, domain: str, changed: asyncio.Event) -> None:
    """Tell the first change at once, and those that follow together."""
    while True:
        await changed.wait()
        changed.clear()
        await bus.hint(domain)
        await asyncio.sleep(INTERVAL)


async def keep_hinting(
    bus: ListenerBus, domain: str, directory: Directory, *, missed: bool = False
) -> None:
    """Tell of changes until cancelled, or until the directory can't notice them.

    `missed`: nobody watched it for a while.
    """
    changed = asyncio.Event()
    if missed:
        changed.set()
    telling = asyncio.create_task(_tell(bus, domain, changed), name=f"tell {domain}")
    try:
        while True:
            pause = PAUSE
            try:
                async for _ in directory.watch():
                    changed.set()
            except CloudforestError as error:
                if isinstance(error, CredentialRejected):
                    pause = HINT_CREDENTIAL_PAUSE
                log.info("watching interrupted", domain=domain, reason=str(error))
            else:
                log.info("directory does not tell of changes", domain=domain)
                return
            await asyncio.sleep(pause)
            changed.set()  # Nobody saw what happened meanwhile.
    finally:
        telling.cancel()


IDENTIFY_SECONDS = 15.0
"""For each controller, since those that are silent are waited for one by one."""
CREDENTIAL_PAUSE = timedelta(hours=1)
"""Each try with a wrong password brings the account closer to being locked out."""

_NOT_LOOKED_AT = "not looked at yet"

OpenDirectory = Callable[[Domain, Binding], Directory]
"""Opens a domain with what is bound on this host; may raise Misconfigured."""

AnswerFactory = Callable[[Mapping[str, Directory]], Answerer]
"""Answers for the directories that are open, as they come and go, by domain."""

log = structlog.get_logger()


@dataclass
class _Served:
    """`trouble` is the last sentence that was logged about it; None: it answers.

    Until `paused_until` it is left alone.
    """

    domain: Domain
    binding: Binding
    trouble: str | None = _NOT_LOOKED_AT
    paused_until: datetime | None = None
    hinting: asyncio.Task[None] | None = None

    def seconds(self) -> float:
        directory = self.domain.source.active_directory
        return IDENTIFY_SECONDS * (len(directory.controllers) if directory else 1)


class Domains:
    """Listens for a domain only while its directory answers.

    Measured: an agent whose controller is dead takes its share of the requests.
    """

    def __init__(
        self,
        bus: ListenerBus,
        *,
        open_directory: OpenDirectory,
        answer_factory: AnswerFactory,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._bus = bus
        self._open_directory = open_directory
        self._open: dict[str, Directory] = {}
        self._answer = answer_factory(self._open)
        self._served: dict[str, _Served] = {}
        self._refused: dict[str, str] = {}
        self._lock = asyncio.Lock()

    @property
    def troubles(self) -> dict[str, str]:
        """Say of each domain that is not listened for, why."""
        looked_at = {
            name: served.trouble
            for name, served in self._served.items()
            if served.trouble is not None
        }
        return {**self._refused, **looked_at}

    async def configure(self, response: BootstrapResponse, bindings: Bindings) -> None:
        """Close what is gone or no longer allowed; open what is new or changed."""
        allowed = self._allowed(response, bindings)
        async with self._lock:
            for name, held in tuple(self._served.items()):
                if allowed.get(name) != (held.domain, held.binding):
                    await self._close(name)
            for name, (domain, binding) in allowed.items():
                self._served.setdefault(name, _Served(domain, binding))
        await self.check()

    def _allowed(
        self, response: BootstrapResponse, bindings: Bindings
    ) -> dict[str, tuple[Domain, Binding]]:
        allowed: dict[str, tuple[Domain, Binding]] = {}
        refused: dict[str, str] = {}
        for domain in response.domains:
            reason = check(domain, response.credentials.get(domain.name), bindings)
            if reason is None:
                allowed[domain.name] = (domain, bindings[domain.name])
            else:
                refused[domain.name] = reason
        for name, reason in refused.items():
            if self._refused.get(name) != reason:
                log.warning("domain refused", domain=name, reason=reason)
        self._refused = refused
        return allowed

    async def check(self, only: str | None = None) -> None:
        """Look at every directory, all at once; listen or stop listening."""
        async with self._lock, asyncio.TaskGroup() as group:
            now = self._clock()
            for name, served in self._served.items():
                paused = served.paused_until is not None and served.paused_until > now
                if not paused and only in {None, name}:
                    group.create_task(self._look_at(served))

    async def _look_at(self, served: _Served) -> None:
        before = served.trouble
        served.trouble = await self._trouble(served)
        name = served.domain.name
        if served.trouble is None and before is not None:
            log.info("directory answers", domain=name)
        elif served.trouble is not None and served.trouble != before:
            await self._leave(served)
            log.warning("directory does not answer", domain=name, reason=served.trouble)

    async def _trouble(self, served: _Served) -> str | None:
        try:
            directory = self._opened(served)
            async with asyncio.timeout(served.seconds()):
                await directory.identify()
            if served.trouble is not None:
                await self._serve(served.domain.name, served, directory)
        except CredentialRejected as error:
            # The credential is read again when it is opened again.
            served.paused_until = self._clock() + CREDENTIAL_PAUSE
            await self._shut(served.domain.name)
            return f"{error} The agent tries again in an hour, or when it is restarted."
        except CloudforestError as error:
            return str(error)
        except TimeoutError:
            return f"It said nothing for {served.seconds():g} seconds."
        return None

    def _opened(self, served: _Served) -> Directory:
        if (name := served.domain.name) not in self._open:
            self._open[name] = self._open_directory(served.domain, served.binding)
        return self._open[name]

    async def _shut(self, name: str) -> None:
        directory = self._open.pop(name, None)
        if directory is not None:
            await directory.close()

    async def _serve(self, name: str, served: _Served, directory: Directory) -> None:
        await self._bus.listen(name, self._honest(name))
        away = served.trouble != _NOT_LOOKED_AT
        served.hinting = asyncio.create_task(
            keep_hinting(self._bus, name, directory, missed=away),
            name=f"hints of {name}",
        )

    def _honest(self, name: str) -> Answerer:
        """Look at the directory before its failure is told: who hears of it asks again.

        Then this agent takes no request that one with a living directory could answer.
        """

        async def answered(request: SyncRequest) -> AsyncIterator[Page]:
            async for page in self._answer(request):
                if page.closing is not None and page.closing.error is not None:
                    await self.check(name)
                yield page

        return answered

    async def _leave(self, served: _Served) -> None:
        await self._bus.unlisten(served.domain.name)
        if served.hinting is not None:
            served.hinting.cancel()
            await asyncio.gather(served.hinting, return_exceptions=True)
            served.hinting = None

    async def _close(self, name: str) -> None:
        served = self._served.pop(name)
        await self._leave(served)
        await self._shut(name)

    async def close(self) -> None:
        async with self._lock:
            for name in tuple(self._served):
                await self._close(name)
