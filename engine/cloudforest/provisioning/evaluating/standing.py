"""Where a wish stands: new, waiting in a stage, released from one, or discarded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from cloudforest.model.provisioning import Effect, Stage, wish
from cloudforest.provisioning.run import Run


@dataclass(frozen=True)
class Standing:
    """`waiting` are the job's stages; `allowed` the digests of those released."""

    waiting: Mapping[str, Stage] = field(default_factory=dict)
    allowed: frozenset[str] = frozenset()

    def of(self, effect: Effect, prior: Effect | None) -> Effect:
        """Return the effect as it stands, if its elder wished the same."""
        decided = prior is not None and (prior.stage or prior.state == "discarded")
        if prior is None or not decided or wish(prior) != wish(effect):
            return effect
        if prior.state == "discarded":
            return replace(effect, state="discarded", reason=prior.reason)
        if prior.stage in self.allowed:
            return replace(effect, stage=prior.stage)
        if prior.stage in self.waiting:
            return replace(
                effect, state="staged", stage=prior.stage, reason=prior.reason
            )
        return effect


async def standing(run: Run) -> Standing:
    stages = await run.store.stages(run.job.name)
    return Standing({each.id: each for each in stages}, run.allowed)
