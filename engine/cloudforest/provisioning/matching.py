"""Match unlinked objects to resources of the target, and check links again."""

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
"""Objects of a cycle that are looked up one by one; for more, take a snapshot."""

SNAPSHOT_BATCH = 500

ALREADY_LINKED = "already-linked: the matching resource belongs to another object."

WAITS_FOR_STAGE = (
    f"{HELD_BY_STAGE}the resource in the way belongs to an object with a staged "
    "effect. See `cloudforest job staged`."
)

UNSUPPORTED_FILTER_STATUSES = (400, 501)
"""Statuses for a filter that a target does not support (RFC 7644, 3.4.2.2, 3.12)."""
RESOURCE_ID = "id"


@dataclass(frozen=True)
class UnlinkedObject:
    """An object without a link, to be matched by its desired values."""

    object_guid: str
    values: FlatResource


@dataclass(frozen=True)
class MatchFailure:
    """Why an object cannot be matched, as an escrow reason."""

    reason: str


Match = TargetResource | MatchFailure | None


def pick_single_match(resources: Sequence[TargetResource]) -> Match:
    if len(resources) > 1:
        return MatchFailure(
            "ambiguous-match: several resources of the target match this object."
        )
    return resources[0] if resources else None


def get_match_value(values: FlatResource, path: str) -> MatchValue | None:
    """Return the value to match by at the path; None if it is empty or not plain."""
    value: Any = values.get(path)
    return value if isinstance(value, MatchValue) and value != "" else None


async def find_match(
    context: CycleContext, mapper: Mapper, values: FlatResource
) -> Match:
    """Look the object up by each matching mapping; the first with a result decides."""
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
    """Return those of the objects that have a staged effect in any of the jobs."""
    found: set[str] = set()
    for job in (context.key_name, *context.siblings) if owners else ():
        effects = await context.store.load_effects(job, owners)
        found.update(i for i, each in effects.items() if each.state == "staged")
    return frozenset(found)


async def reject_owned_matches(
    context: CycleContext, matches: dict[str, Match]
) -> dict[str, Match]:
    """Replace matches that are linked to, or matched by, another object by failures."""
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
    waiting = MatchFailure(WAITS_FOR_STAGE)
    return kept | {id_: waiting for id_ in refused if owners[found[id_]] in staged}


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
        """Return the match of each object, by objectGUID; None if nothing matches."""
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
        """Look objects up one by one; return None if the target cannot filter so."""
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
        """Store all resources of the type, at most once per cycle.

        Raises Rejected if the target does not list them.
        """
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
                f'Target "{self.context.job.target}" does not list its {kind} '
                f"resources: {refusal.reason} Allow our credential to read them."
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


@dataclass
class CheckedLinks:
    """The resources of checked links, and the objects whose resource is missing.

    Both are by objectGUID. A link that the target does not answer about is in neither,
    and stays valid for now.
    """

    observed: dict[str, TargetResource] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)


async def check_links(
    matcher: Matcher, mapper: Mapper, links: Mapping[str, Link], checked: CheckedLinks
) -> None:
    """Look for the links' resources in the snapshot, and look up missing ones by id.

    A list may leave out disabled resources; treating one as missing would create it
    twice. `links` are by resource id.
    """
    observed = await matcher.load_observed(mapper, list(links))
    checked.observed |= {
        links[id_].object_guid: resource for id_, resource in observed.items()
    }
    for id_ in links.keys() - observed.keys():
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
