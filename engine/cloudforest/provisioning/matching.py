"""Matching: which resource of the target an object that has no link belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloudforest.base.errors import Rejected
from cloudforest.model.ports.target import Refusal
from cloudforest.model.source import FlatResource, Link, MatchValue, TargetResource
from cloudforest.model.stages import HELD_BY_STAGE
from cloudforest.program.mapping.desired import make_match_key
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.run import CycleContext

MAX_SINGLE_LOOKUPS = 20
"""So many objects of a cycle are asked for one by one; more need one picture."""

SNAPSHOT_BATCH = 500

ALREADY_LINKED = "already-linked: the matching resource belongs to another object."

WAITS_FOR_STAGE = (
    f"{HELD_BY_STAGE}the resource in the way is of an object whose own change waits "
    "for a decision; see `cloudforest job staged`."
)

UNSUPPORTED_FILTER_STATUSES = (400, 501)
"""How targets refuse a filter that they can't use (RFC 7644, 3.4.2.2 and 3.12)."""


@dataclass(frozen=True)
class UnlinkedObject:
    """An object that looks for its resource."""

    object_guid: str
    values: FlatResource


@dataclass(frozen=True)
class MatchFailure:
    """Why an object can't be matched: an escrow reason."""

    reason: str


Match = TargetResource | MatchFailure | None


def pick_single_match(resources: Sequence[TargetResource]) -> Match:
    if len(resources) > 1:
        return MatchFailure(
            "ambiguous-match: several resources of the target match this object."
        )
    return resources[0] if resources else None


def get_match_value(values: FlatResource, path: str) -> MatchValue | None:
    """Return what to look for at the path, if there is something."""
    value: Any = values.get(path)
    return value if isinstance(value, MatchValue) and value != "" else None


async def find_match(
    context: CycleContext, mapper: Mapper, values: FlatResource
) -> Match:
    """Ask the target by each matching rule in order; the first that finds decides."""
    for rule in mapper.matching_mappings:
        value = get_match_value(values, rule.target)
        if value is None:
            continue
        found = await context.target.find(
            mapper.resource_type, rule.target, value, mapper.paths_to_read
        )
        if found:
            return pick_single_match(found)
    return None


def _reject_owned_match(object_id: str, match: Match, owners: dict[str, str]) -> Match:
    if not isinstance(match, TargetResource):
        return match
    if owners.setdefault(match.id, object_id) == object_id:
        return match
    return MatchFailure(ALREADY_LINKED)


async def find_staged_owners(
    context: CycleContext, owners: Sequence[str]
) -> frozenset[str]:
    """Return those of the objects whose own change waits in a stage of any job."""
    found: set[str] = set()
    for job in (context.key_name, *context.siblings) if owners else ():
        effects = await context.store.load_effects(job, owners)
        found.update(i for i, each in effects.items() if each.state == "staged")
    return frozenset(found)


async def reject_owned_matches(
    context: CycleContext, matches: dict[str, Match]
) -> dict[str, Match]:
    """Refuse what is linked to another object, or matched by one before this."""
    found = {i: m.id for i, m in matches.items() if isinstance(m, TargetResource)}
    if not found:
        return matches
    resources = list(found.values())
    owners = await context.store.find_pending_adoptions(
        context.key_name, context.cycle_id, resources
    ) | await context.store.find_linked_objects(context.job.target, resources)
    kept = {id_: _reject_owned_match(id_, m, owners) for id_, m in matches.items()}
    refused = [id_ for id_ in found if isinstance(kept[id_], MatchFailure)]
    staged = await find_staged_owners(context, [owners[found[id_]] for id_ in refused])
    held = MatchFailure(WAITS_FOR_STAGE)
    return kept | {id_: held for id_ in refused if owners[found[id_]] in staged}


async def _cut_into_batches(
    resources: AsyncIterator[TargetResource],
) -> AsyncIterator[list[TargetResource]]:
    batch: list[TargetResource] = []
    async for resource in resources:
        batch.append(resource)
        if len(batch) == SNAPSHOT_BATCH:
            yield batch
            batch = []
    yield batch


@dataclass
class Matcher:
    """Matches the objects of one cycle, batch by batch."""

    context: CycleContext
    lookup_counts: dict[str, int] = field(default_factory=dict)
    listed_types: set[str] = field(default_factory=set)

    async def match_objects(
        self, mapper: Mapper, unlinked: Sequence[UnlinkedObject]
    ) -> dict[str, Match]:
        """Return what each object matches, by its id; None: nothing."""
        if not unlinked or not mapper.matching_mappings:
            return dict.fromkeys(each.object_guid for each in unlinked)
        kind = mapper.resource_type
        self.lookup_counts[kind] = self.lookup_counts.get(kind, 0) + len(unlinked)
        matches = None
        if (
            self.lookup_counts[kind] <= MAX_SINGLE_LOOKUPS
            and kind not in self.listed_types
        ):
            matches = await self._match_by_lookup(mapper, unlinked)
        if matches is None:
            await self.take_snapshot(mapper)
            matches = await self._match_in_snapshot(mapper, unlinked)
        return await reject_owned_matches(self.context, matches)

    async def load_observed(
        self, mapper: Mapper, resources: Sequence[str]
    ) -> dict[str, TargetResource]:
        """Return those of the resources that the target holds, by their id."""
        await self.take_snapshot(mapper)
        return await self.context.store.load_snapshot_resources(
            self.context.snapshot_key, mapper.resource_type, resources
        )

    async def _match_by_lookup(
        self, mapper: Mapper, unlinked: Sequence[UnlinkedObject]
    ) -> dict[str, Match] | None:
        """Look up one by one; None: the target can't filter by what we match by."""
        matches: dict[str, Match] = {}
        for each in unlinked:
            try:
                matches[each.object_guid] = await find_match(
                    self.context, mapper, each.values
                )
            except Refusal as refusal:
                if refusal.status in UNSUPPORTED_FILTER_STATUSES:
                    return None
                matches[each.object_guid] = MatchFailure(
                    f"match-refused: {refusal.reason}"
                )
        return matches

    async def take_snapshot(self, mapper: Mapper) -> None:
        """Store all resources of the type, once in a cycle."""
        kind = mapper.resource_type
        if kind in self.listed_types:
            return
        keys = [
            *(rule.target for rule in mapper.matching_mappings),
            *mapper.unique_paths,
        ]
        listed = self.context.target.list_resources(kind, mapper.paths_to_read)
        try:
            async for batch in _cut_into_batches(listed):
                await self.context.store.save_snapshot(
                    self.context.snapshot_key, kind, batch, keys
                )
        except Refusal as refusal:
            raise Rejected(
                f"The target {self.context.job.target} does not list its resources "
                "of type "
                f"{kind}: {refusal.reason} Allow our credential to read them."
            ) from refusal
        self.listed_types.add(kind)

    async def _match_in_snapshot(
        self, mapper: Mapper, unlinked: Sequence[UnlinkedObject]
    ) -> dict[str, Match]:
        matches: dict[str, Match] = {}
        left = list(unlinked)
        for rule in mapper.matching_mappings:
            values = {
                each.object_guid: value
                for each in left
                if (value := get_match_value(each.values, rule.target)) is not None
            }
            found = await self.context.store.find_snapshot_matches(
                self.context.snapshot_key,
                mapper.resource_type,
                rule.target,
                list(values.values()),
            )
            for id_, value in values.items():
                key = make_match_key(rule.target, value)
                if key in found:
                    matches[id_] = pick_single_match(found[key])
            left = [each for each in left if each.object_guid not in matches]
        return matches | dict.fromkeys(each.object_guid for each in left)


RESOURCE_ID = "id"


@dataclass
class CheckedLinks:
    """What became of the doubted links of a batch, by objectGUID.

    What the target does not say is in neither: its link is believed for now.
    """

    observed: dict[str, TargetResource] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)


async def check_links(
    matcher: Matcher, mapper: Mapper, links: Mapping[str, Link], checked: CheckedLinks
) -> None:
    """Look in the picture; ask by id for what it lacks: a list may hide the disabled.

    To take such a one for gone would make it twice. Links are by resource id.
    """
    held = await matcher.load_observed(mapper, list(links))
    checked.observed |= {
        links[id_].object_guid: resource for id_, resource in held.items()
    }
    for id_ in links.keys() - held.keys():
        try:
            found = await matcher.context.target.find(
                mapper.resource_type, RESOURCE_ID, id_, mapper.paths_to_read
            )
        except Refusal:
            continue
        if found:
            checked.observed[links[id_].object_guid] = found[0]
        else:
            checked.missing.add(links[id_].object_guid)
