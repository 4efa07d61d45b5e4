"""Retention: `serve` forgets log and cycles older than the tenant keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from cloudforest.base.clock import Clock, Sleep
from cloudforest.base.errors import CloudforestError
from cloudforest.model.ports import ProvisioningStore
from cloudforest.model.registration import Registration

PERIOD = 3600.0
BATCH = 500
"""Entries forgotten in one transaction, so that cycles get their turns in between."""

ReadRegistration = Callable[[], Awaitable[Registration | None]]

log = structlog.get_logger()


@dataclass(frozen=True)
class Retention:
    """`read` is asked anew each time, so a changed setting counts within an hour."""

    read: ReadRegistration
    store: ProvisioningStore
    clock: Clock
    sleep: Sleep = asyncio.sleep

    async def prune(self) -> int:
        """Forget all that is too old; return how many entries and cycles it were."""
        registration = await self.read()
        if registration is None:
            return 0
        kept = timedelta(seconds=registration.tenant.log_retention)
        before = self.clock() - kept
        forgotten = 0
        for prune in (self.store.prune_log, self.store.prune_cycles):
            while pruned := await prune(before, BATCH):
                forgotten += pruned
        return forgotten

    async def serve(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                forgotten = await self.prune()
            except CloudforestError as error:
                log.warning("log not pruned", reason=str(error))
            else:
                log.info("log pruned", entries=forgotten)
            await self.sleep(PERIOD)
