"""The digest of a stage, before there is one: a plan shows it, a cycle stages by it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace

from cloudforest.model.provisioning import PHASES, Effect, wish
from cloudforest.provisioning.escrow import membership_key
from cloudforest.provisioning.evaluating.guarding.check import Tripped
from cloudforest.provisioning.run import Run

BATCH = 500


@dataclass
class Content:
    """What is digested, and counted by action, of the effects that a budget stages.

    `holder` is another exceeded budget, whose stage has those effects that both count.
    """

    trip: Tripped
    sum: Any
    holder: str | None = None
    what: Counter[str] = field(default_factory=Counter)

    def add(self, effect: Effect) -> None:
        said = (effect.key, effect.action, wish(effect))
        self.sum.update(msgspec.json.encode(said))
        self.what["memberRemove" if effect.remove else effect.action] += 1

    @property
    def tripped(self) -> Tripped:
        return replace(self.trip, digest=self.sum.hexdigest())


def _content(trip: Tripped) -> Content:
    return Content(trip, hashlib.sha256(f"{trip.job}\n{trip.guard}\n".encode()))


async def outbox_digest(run: Run) -> str:
    """Return the digest of all that the cycle is to write."""
    content = hashlib.sha256()
    for phase in PHASES:
        after = ""
        while batch := await run.store.pending(
            run.rows, run.id, phase, after=after, limit=BATCH
        ):
            for each in batch:
                content.update(wish(each).encode())
            after = batch[-1].key
    return content.hexdigest()


async def candidates(run: Run) -> AsyncIterator[list[Effect]]:
    """Yield what is to be written and nobody released, in one order every time."""
    for phase in PHASES:
        after = ""
        while batch := await run.store.pending(
            run.rows, run.id, phase, after=after, limit=BATCH
        ):
            yield [each for each in batch if each.stage is None]
            after = batch[-1].key


def guard_of(effect: Effect, exceeded: Mapping[str, Tripped]) -> str | None:
    """Return the first of the effect's budgets that is exceeded."""
    return next((each for each in effect.guards if each in exceeded), None)


def singles(effect: Effect) -> list[Effect]:
    """Return what is decided one by one: of a change of members, each removal."""
    if effect.action != "members":
        return [effect]
    return [
        replace(effect, key=membership_key(effect.id, each), add=(), remove=(each,))
        for each in effect.remove
    ]


async def contents(run: Run, exceeded: Mapping[str, Tripped]) -> dict[str, Content]:
    """Read what each exceeded budget would stage."""
    made = {guard: _content(trip) for guard, trip in exceeded.items()}
    async for batch in candidates(run):
        for effect in batch:
            guard = guard_of(effect, exceeded)
            if guard is None:
                continue
            for single in singles(effect):
                made[guard].add(single)
            for other in made.keys() & set(effect.guards) - {guard}:
                made[other].holder = guard
    return made


def tripped_of(made: Mapping[str, Content]) -> dict[str, Tripped]:
    """Return what is exceeded, each with the stage that a decision is about."""
    trips = {guard: each.tripped for guard, each in made.items()}
    for guard, each in made.items():
        if each.holder is not None and not each.what:
            trips[guard] = replace(trips[guard], digest=trips[each.holder].digest)
    return trips
