"""Matching: which resource of the target an object that has no link belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudforest.base.errors import Rejected
from cloudforest.model.ports.target import Refusal
from cloudforest.model.source import Flat, Link, MatchValue, TargetResource
from cloudforest.model.stages import HELD_BY_STAGE
from cloudforest.program.mapping.desired import comparable
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.run import Run

ASK_SINGLY = 20
"""So many objects of a cycle are asked for one by one; more need one picture."""

PICTURE_BATCH = 500

ALREADY_LINKED = "already-linked: the matching resource belongs to another object."

WAITS_FOR_STAGE = (
    f"{HELD_BY_STAGE}the resource in the way is of an object whose own change waits "
    "for a decision; see `cloudforest job staged`."
)

NO_SUCH_FILTER = (400, 501)
"""How targets refuse a filter that they can't use (RFC 7644, 3.4.2.2 and 3.12)."""


@dataclass(frozen=True)
class Wanted:
    """An object that looks for its resource."""

    id: str
    values: Flat


@dataclass(frozen=True)
class Ambiguous:
    """Why an object can't be matched: an escrow reason."""

    reason: str


Match = TargetResource | Ambiguous | None


def lone(resources: Sequence[TargetResource]) -> Match:
    if len(resources) > 1:
        return Ambiguous(
            "ambiguous-match: several resources of the target match this object."
        )
    return resources[0] if resources else None


def sought(values: Flat, path: str) -> MatchValue | None:
    """Return what to look for at the path, if there is something."""
    value: Any = values.get(path)
    return value if isinstance(value, MatchValue) and value != "" else None


async def look_up(run: Run, mapper: Mapper, values: Flat) -> Match:
    """Ask the target by each matching rule in order; the first that finds decides."""
    for rule in mapper.matching:
        value = sought(values, rule.target)
        if value is None:
            continue
        found = await run.target.find(
            mapper.resource_type, rule.target, value, mapper.compared
        )
        if found:
            return lone(found)
    return None


async def _owners(run: Run, resources: Sequence[str]) -> dict[str, str]:
    """Return the objects that resources are linked to, or are to be by this cycle."""
    owners = await run.store.claimed(run.rows, run.id, resources)
    return owners | await run.store.linked_resources(run.job.target, resources)


def _unless_owned(object_id: str, match: Match, owners: dict[str, str]) -> Match:
    if not isinstance(match, TargetResource):
        return match
    if owners.setdefault(match.id, object_id) == object_id:
        return match
    return Ambiguous(ALREADY_LINKED)


async def staged_owners(run: Run, owners: Sequence[str]) -> frozenset[str]:
    """Return those of the objects whose own change waits in a stage of any job."""
    found: set[str] = set()
    for job in (run.rows, *run.others) if owners else ():
        effects = await run.store.effects(job, owners)
        found.update(i for i, each in effects.items() if each.state == "staged")
    return frozenset(found)


async def unowned(run: Run, matches: dict[str, Match]) -> dict[str, Match]:
    """Refuse what is linked to another object, or matched by one before this."""
    found = {i: m.id for i, m in matches.items() if isinstance(m, TargetResource)}
    if not found:
        return matches
    owners = await _owners(run, list(found.values()))
    kept = {id_: _unless_owned(id_, m, owners) for id_, m in matches.items()}
    refused = [id_ for id_ in found if isinstance(kept[id_], Ambiguous)]
    staged = await staged_owners(run, [owners[found[id_]] for id_ in refused])
    held = Ambiguous(WAITS_FOR_STAGE)
    return kept | {id_: held for id_ in refused if owners[found[id_]] in staged}


async def _batches(
    resources: AsyncIterator[TargetResource],
) -> AsyncIterator[list[TargetResource]]:
    batch: list[TargetResource] = []
    async for resource in resources:
        batch.append(resource)
        if len(batch) == PICTURE_BATCH:
            yield batch
            batch = []
    yield batch


@dataclass
class Matcher:
    """Matches the objects of one cycle, batch by batch."""

    run: Run
    asked: dict[str, int] = field(default_factory=dict)
    pictured: set[str] = field(default_factory=set)

    async def match(self, mapper: Mapper, wanted: Sequence[Wanted]) -> dict[str, Match]:
        """Return what each object matches, by its id; None: nothing."""
        if not wanted or not mapper.matching:
            return dict.fromkeys(each.id for each in wanted)
        kind = mapper.resource_type
        self.asked[kind] = self.asked.get(kind, 0) + len(wanted)
        matches = None
        if self.asked[kind] <= ASK_SINGLY and kind not in self.pictured:
            matches = await self._ask(mapper, wanted)
        if matches is None:
            await self.picture(mapper)
            matches = await self._search(mapper, wanted)
        return await unowned(self.run, matches)

    async def held(
        self, mapper: Mapper, resources: Sequence[str]
    ) -> dict[str, TargetResource]:
        """Return those of the resources that the target holds, by their id."""
        await self.picture(mapper)
        return await self.run.store.pictured(
            self.run.picture, mapper.resource_type, resources
        )

    async def _ask(
        self, mapper: Mapper, wanted: Sequence[Wanted]
    ) -> dict[str, Match] | None:
        """Look up one by one; None: the target can't filter by what we match by."""
        matches: dict[str, Match] = {}
        for each in wanted:
            try:
                matches[each.id] = await look_up(self.run, mapper, each.values)
            except Refusal as refusal:
                if refusal.status in NO_SUCH_FILTER:
                    return None
                matches[each.id] = Ambiguous(f"match-refused: {refusal.reason}")
        return matches

    async def picture(self, mapper: Mapper) -> None:
        """Store all resources of the type, once in a cycle."""
        kind = mapper.resource_type
        if kind in self.pictured:
            return
        keys = [*(rule.target for rule in mapper.matching), *mapper.unique]
        listed = self.run.target.resources(kind, mapper.compared)
        try:
            async for batch in _batches(listed):
                await self.run.store.save_snapshot(self.run.picture, kind, batch, keys)
        except Refusal as refusal:
            raise Rejected(
                f"The target {self.run.job.target} does not list its resources of type "
                f"{kind}: {refusal.reason} Allow our credential to read them."
            ) from refusal
        self.pictured.add(kind)

    async def _search(
        self, mapper: Mapper, wanted: Sequence[Wanted]
    ) -> dict[str, Match]:
        matches: dict[str, Match] = {}
        left = list(wanted)
        for rule in mapper.matching:
            values = {
                each.id: value
                for each in left
                if (value := sought(each.values, rule.target)) is not None
            }
            found = await self.run.store.matches(
                self.run.picture,
                mapper.resource_type,
                rule.target,
                list(values.values()),
            )
            for id_, value in values.items():
                key = comparable(rule.target, value)
                if key in found:
                    matches[id_] = lone(found[key])
            left = [each for each in left if each.id not in matches]
        return matches | dict.fromkeys(each.id for each in left)


ID = "id"


@dataclass
class Looked:
    """What became of the doubted links of a batch, by objectGUID.

    What the target does not say is in neither: its link is believed for now.
    """

    found: dict[str, TargetResource] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)


async def look(
    matcher: Matcher, mapper: Mapper, doubted: Mapping[str, Link], looked: Looked
) -> None:
    """Look in the picture; ask by id for what it lacks: a list may hide the disabled.

    To take such a one for gone would make it twice. Links are by resource id.
    """
    held = await matcher.held(mapper, list(doubted))
    looked.found |= {doubted[id_].id: resource for id_, resource in held.items()}
    for id_ in doubted.keys() - held.keys():
        try:
            found = await matcher.run.target.find(
                mapper.resource_type, ID, id_, mapper.compared
            )
        except Refusal:
            continue
        if found:
            looked.found[doubted[id_].id] = found[0]
        else:
            looked.gone.add(doubted[id_].id)
