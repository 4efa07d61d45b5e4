"""How agents and jobs stand, in the documented shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cloudforest.base.clock import Clock
from cloudforest.front.wiring import summaries
from cloudforest.front.wiring.steering import Steering
from cloudforest.hybrid.status import listed
from cloudforest.model.ports import IdentityStore, ProvisioningStore
from cloudforest.model.registration import Registration
from cloudforest.provisioning.run import Turns
from cloudforest.provisioning.scheduling.scheduler import Scheduler
from cloudforest.provisioning.scheduling.standing import holds

_UNKNOWN_LISTED = 20


@dataclass(frozen=True)
class Watching:
    identities: IdentityStore
    store: ProvisioningStore
    steering: Steering
    turns: Turns
    clock: Clock

    async def status(
        self, registration: Registration | None, scheduler: Scheduler | None
    ) -> dict[str, Any]:
        """Return the documented status; without a scheduler no job has a next cycle."""
        now = self.clock()
        agents = listed(await self.identities.agents(), now)
        return {
            "agents": [summaries.agent(each, now) for each in agents],
            "jobs": await self._jobs(registration, scheduler) if registration else [],
        }

    async def _jobs(
        self, registration: Registration, scheduler: Scheduler | None
    ) -> list[dict[str, Any]]:
        standings = await self.steering.standings(registration)
        starts = scheduler and scheduler.next_starts(
            registration.jobs, self.clock(), holds(standings)
        )
        facts = summaries.Facts(
            cycles=await self.store.last_cycles(),
            effects=await self.store.effect_counts(),
            standings=standings,
            starts=starts or {},
            running=self.turns.taken,
        )
        return [
            each | await self._imported(each["name"])
            for each in summaries.job_states(registration.jobs, facts)
        ]

    async def _imported(self, job: str) -> dict[str, Any]:
        held = await self.store.watermark(job)
        unknown = await self.store.unknown_objects(job, _UNKNOWN_LISTED)
        return summaries.imported(held, *unknown)
