"""Find what the target holds: matches of unlinked objects, linked resources, values.

Unique values are those of SelectUniqueValue: the first that no resource has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cloudforest.base.errors import Rejected
from cloudforest.model.ports.target import Refusal, ResourceNotFound
from cloudforest.model.program import ObjectType
from cloudforest.model.source import FlatResource, Link, MatchValue, TargetResource
from cloudforest.model.stages import HELD_BY_STAGE
from cloudforest.program.expressions.analysis import SELECT_UNIQUE_VALUE
from cloudforest.program.faults import MappingFault
from cloudforest.program.mapping.desired import make_match_key
from cloudforest.provisioning.differences import Candidate
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.run import CycleContext

MAX_SINGLE_LOOKUPS = 20
"""Objects of a cycle that are looked up one by one; for more, take a snapshot."""

SNAPSHOT_BATCH = 500

AMBIGUOUS = "ambiguous-match: several resources of the target match this object."
ALREADY_LINKED = "already-linked: the matching resource belongs to another object."

WAITS_FOR_STAGE = (
    f"{HELD_BY_STAGE}the resource in the way belongs to an object with a staged "
    "effect. See `cloudforest job staged`."
)

UNSUPPORTED_FILTER_STATUSES = (400, 501)
"""Statuses for a filter that a target does not support (RFC 7644, 3.4.2.2, 3.12)."""
RESOURCE_ID = "id"
NO_FREE_VALUE = f"{SELECT_UNIQUE_VALUE} has no free value: the target has them all."


@dataclass(frozen=True)
class MatchFailure:
    """Why an object cannot be matched, as an escrow reason."""

    reason: str


Match = TargetResource | MatchFailure | None
UniqueValues = dict[str, FlatResource | MappingFault]
"""By objectGUID: the value of each path, or why no value is free."""


def _pick_single(resources: Sequence[TargetResource]) -> Match:
    return resources[0] if len(resources) == 1 else MatchFailure(AMBIGUOUS)


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
            return _pick_single(found)
    return None


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
    refused = {
        guid: owner
        for guid, resource in found.items()
        if (owner := owners.setdefault(resource, guid)) != guid
    }
    staged = await find_staged_owners(context, list(refused.values()))
    return matches | {
        guid: MatchFailure(WAITS_FOR_STAGE if owner in staged else ALREADY_LINKED)
        for guid, owner in refused.items()
    }


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
    """Looks for the objects of one cycle in the target, batch by batch."""

    context: CycleContext
    lookup_counts: dict[str, int] = field(default_factory=dict)
    listed_types: set[str] = field(default_factory=set)

    async def match_objects(
        self, mapper: Mapper, candidates: Sequence[Candidate]
    ) -> dict[str, Match]:
        """Return the match of each object, by objectGUID; None if nothing matches."""
        if not candidates or not mapper.matching_mappings:
            return dict.fromkeys(each.object_guid for each in candidates)
        kind = mapper.resource_type
        self.lookup_counts[kind] = self.lookup_counts.get(kind, 0) + len(candidates)
        matches = None
        if (
            self.lookup_counts[kind] <= MAX_SINGLE_LOOKUPS
            and kind not in self.listed_types
        ):
            matches = await self._match_by_lookup(mapper, candidates)
        if matches is None:
            await self.take_snapshot(mapper)
            matches = await self._match_in_snapshot(mapper, candidates)
        return await reject_owned_matches(self.context, matches)

    async def _match_by_lookup(
        self, mapper: Mapper, candidates: Sequence[Candidate]
    ) -> dict[str, Match] | None:
        """Look objects up one by one; return None if the target cannot filter so."""
        matches: dict[str, Match] = {}
        for each in candidates:
            try:
                matches[each.object_guid] = await find_match(
                    self.context, mapper, each.desired.values
                )
            except Refusal as refusal:
                if refusal.status in UNSUPPORTED_FILTER_STATUSES:
                    return None
                matches[each.object_guid] = MatchFailure(
                    f"match-refused: {refusal.reason}"
                )
        return matches

    async def take_snapshot(self, mapper: Mapper) -> None:
        """Store all resources of the type, once per cycle; may raise Rejected."""
        kind = mapper.resource_type
        if kind in self.listed_types:
            return
        keys = [rule.target for rule in mapper.matching_mappings]
        keys += mapper.unique_paths
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

    async def _search_snapshot(
        self, mapper: Mapper, path: str, values: Sequence[MatchValue]
    ) -> dict[str, tuple[TargetResource, ...]]:
        return await self.context.store.find_snapshot_matches(
            self.context.snapshot_key, mapper.resource_type, path, values
        )

    async def _match_in_snapshot(
        self, mapper: Mapper, candidates: Sequence[Candidate]
    ) -> dict[str, Match]:
        matches: dict[str, Match] = {}
        left = list(candidates)
        for rule in mapper.matching_mappings:
            values = {
                each.object_guid: value
                for each in left
                if (value := get_match_value(each.desired.values, rule.target))
                is not None
            }
            found = await self._search_snapshot(
                mapper, rule.target, list(values.values())
            )
            for id_, value in values.items():
                key = make_match_key(rule.target, value)
                if key in found:
                    matches[id_] = _pick_single(found[key])
            left = [each for each in left if each.object_guid not in matches]
        return matches | dict.fromkeys(each.object_guid for each in left)

    async def check_links(
        self, mappers: Mapping[ObjectType, Mapper], links: Collection[Link]
    ) -> dict[str, TargetResource | None]:
        """Return the resource of each link by objectGUID; None: it is missing.

        A list may leave out disabled resources; treating one as missing would create it
        twice. So those that the snapshot lacks are looked up by id. A link that the
        target does not answer about is left out, and stays valid for now.
        """
        found: dict[str, TargetResource | None] = {}
        for kind, mapper in mappers.items():
            ids = {
                each.resource: each.object_guid for each in links if each.type == kind
            }
            if not ids:
                continue
            await self.take_snapshot(mapper)
            listed = await self.context.store.load_snapshot_resources(
                self.context.snapshot_key, mapper.resource_type, list(ids)
            )
            found |= {ids[id_]: resource for id_, resource in listed.items()}
            for id_ in ids.keys() - listed.keys():
                with suppress(Refusal):
                    resources = await self.context.target.find(
                        mapper.resource_type, RESOURCE_ID, id_, mapper.paths_to_read
                    )
                    found[ids[id_]] = resources[0] if resources else None
        return found

    async def _find_taken_values(
        self, mapper: Mapper, path: str, values: Sequence[str]
    ) -> set[str]:
        """Return the values that the target has, or that this cycle has reserved."""
        taken: Iterable[str] = ()
        if mapper.resource_type not in self.listed_types:
            try:
                taken = await self.context.target.find_taken_values(
                    mapper.resource_type, path, values
                )
            except Refusal as refusal:
                if refusal.status not in UNSUPPORTED_FILTER_STATUSES:
                    raise
                await self.take_snapshot(mapper)
        reserved = await self._search_snapshot(mapper, path, values)
        return {make_match_key(path, each) for each in taken} | reserved.keys()

    async def _choose_values(
        self, mapper: Mapper, path: str, candidates: Sequence[Candidate]
    ) -> UniqueValues:
        """Choose the value of one path for each object, in order."""
        values = [
            value for each in candidates for value in each.desired.candidates[path]
        ]
        taken = await self._find_taken_values(mapper, path, list(dict.fromkeys(values)))
        chosen: UniqueValues = {}
        reserved: list[TargetResource] = []
        for each in candidates:
            for value in each.desired.candidates[path]:
                key = make_match_key(path, value)
                if key not in taken:
                    taken.add(key)
                    flat = {path: value}
                    chosen[each.object_guid] = flat
                    reserved.append(
                        TargetResource(id=f"given:{each.object_guid}", values=flat)
                    )
                    break
            else:
                chosen[each.object_guid] = MappingFault(path, NO_FREE_VALUE)
        # Later batches look for reserved values in the snapshot.
        await self.context.store.save_snapshot(
            self.context.snapshot_key, mapper.resource_type, reserved, [path]
        )
        return chosen

    async def choose_unique_values(
        self, mapper: Mapper, candidates: Sequence[Candidate]
    ) -> UniqueValues:
        """Choose the values of a batch of objects of one type, in order.

        An object with a fault at any path gets no values.
        """
        chosen: UniqueValues = {}
        for path in mapper.unique_paths:
            asking = [each for each in candidates if path in each.desired.candidates]
            if not asking:
                continue
            try:
                values = await self._choose_values(mapper, path, asking)
            except Refusal as refusal:
                fault = MappingFault(
                    path, f"The target refused the lookup: {refusal.reason}"
                )
                values = {each.object_guid: fault for each in asking}
            for guid, value in values.items():
                known = chosen.get(guid, {})
                if isinstance(value, MappingFault):
                    chosen[guid] = value
                elif not isinstance(known, MappingFault):
                    chosen[guid] = known | value
        return chosen


async def list_present_members(
    context: CycleContext, resource_type: str, resource: str
) -> frozenset[str] | None:
    """Return the members of the group, which lists leave out; None: a refusal."""
    try:
        return await context.target.list_member_ids(resource_type, resource)
    except ResourceNotFound:
        return frozenset()
    except Refusal:
        return None
