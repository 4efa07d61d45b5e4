"""Export, phase by phase: writes, disables, conflicts once more, then references."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from cloudforest.base.errors import CloudforestError, TargetUnavailable, Unavailable
from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import (
    PHASE_ADOPT,
    PHASE_LEAD,
    PHASE_RETRY,
    PHASE_WRITE,
    PHASES,
    Effect,
    Outcome,
)
from cloudforest.provisioning.evaluating.evaluation import forget_writes
from cloudforest.provisioning.exporting.attempt import attempt
from cloudforest.provisioning.exporting.feed import batches, marked, ready
from cloudforest.provisioning.exporting.outcomes.outage import give_back
from cloudforest.provisioning.exporting.outcomes.spending import Spending
from cloudforest.provisioning.exporting.outcomes.storing import store
from cloudforest.provisioning.exporting.pipeline import drain
from cloudforest.provisioning.exporting.rings import break_rings
from cloudforest.provisioning.exporting.sending import Ready
from cloudforest.provisioning.mapper import Mapper, mappers
from cloudforest.provisioning.run import Run


@dataclass
class _Export:
    """The export of a cycle.

    `done` counts what is settled, for the progress; `parted` are the effects of which a
    ring was broken: once is enough.
    """

    run: Run
    compiled: Mapping[ObjectType, Mapper]
    spending: Spending = field(default_factory=Spending)
    parted: set[str] = field(default_factory=set)
    done: int = 0

    async def drain(self, phase: int, *, last: bool = True) -> None:
        """Send what is pending of a phase."""

        async def sink(outcomes: list[Outcome]) -> None:
            await store(self.run, outcomes, self.spending)
            self.done += sum(each.state != "pending" for each in outcomes)
            self.run.progress("export", self.done)

        async def work(each: Ready) -> list[Outcome]:
            return await attempt(self.run, self.compiled, each, last=last)

        effects = ready(self.run, phase)
        await drain(effects, work, sink, workers=self.run.profile.concurrency)

    async def retry(self) -> None:
        """Send what is in conflict for as long as that frees the values of others."""
        while await self._is_stuck():
            before = self.done
            await self.drain(PHASE_RETRY, last=False)
            if self.done == before and not await self._break_rings():
                break
        await self.drain(PHASE_RETRY)

    async def _break_rings(self) -> bool:
        parted = await break_rings(self.run, self._stuck)
        self.parted |= parted
        return bool(parted)

    async def _stuck(self) -> AsyncIterator[list[Effect]]:
        """Yield what is in conflict, but what a broken ring was of."""
        async for batch in batches(self.run, PHASE_RETRY):
            yield [each for each in batch if each.key not in self.parted]

    async def _is_stuck(self) -> bool:
        run = self.run
        return bool(
            await run.store.pending(run.rows, run.id, PHASE_RETRY, after="", limit=1)
        )


async def _go(export: _Export) -> None:
    for phase in PHASES:
        if phase == PHASE_RETRY:
            await export.retry()
        else:
            await export.drain(phase)


def _is_of_the_store(error: CloudforestError) -> bool:
    down = isinstance(error, TargetUnavailable)
    return isinstance(error, Unavailable) and not down


async def export(run: Run) -> None:
    """Empty the outbox into the target; `run.counts` become what was written.

    Raises TargetUnavailable when that is down: what is left stays pending, and its
    creations did not reach the target (`model.ports.Target.create`). When the store is,
    they may have: the next cycle looks for them there.
    """
    forget_writes(run.counts)
    try:
        await _go(_Export(run, mappers(run.program)))
    except CloudforestError as error:
        if _is_of_the_store(error):
            raise
        for phase in (PHASE_LEAD, PHASE_WRITE, PHASE_ADOPT):
            async for batch in batches(run, phase):
                await marked(run, batch, sent=False)
        # Those were sent, and got an answer that says nothing.
        await give_back(run, error)
        raise
    await run.store.close_stages(run.job.name, run.clock())
