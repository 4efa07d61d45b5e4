"""Choose the values of SelectUniqueValue: the first that no resource has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cloudforest.model.ports.target import Refusal
from cloudforest.model.source import FlatResource, TargetResource
from cloudforest.program.expressions.analysis import SELECT_UNIQUE_VALUE
from cloudforest.program.faults import MappingFault
from cloudforest.program.mapping.desired import make_match_key
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import UNSUPPORTED_FILTER_STATUSES, Matcher

NO_FREE_VALUE = f"{SELECT_UNIQUE_VALUE} has no free value: the target has them all."
UniqueValues = dict[str, FlatResource | MappingFault]
"""By objectGUID: the value of each path, or why no value is free."""


@dataclass(frozen=True)
class UniqueValueRequest:
    """An object to create, with its possible values in order, by SCIM path."""

    object_guid: str
    options: Mapping[str, tuple[str, ...]]


async def _find_taken_values(
    matcher: Matcher, mapper: Mapper, path: str, values: Sequence[str]
) -> set[str]:
    """Return the values that the target has, or that this cycle has reserved."""
    context, kind = matcher.context, mapper.resource_type
    if kind not in matcher.listed_types:
        try:
            taken = await context.target.find_taken_values(kind, path, values)
        except Refusal as refusal:
            if refusal.status not in UNSUPPORTED_FILTER_STATUSES:
                raise
            await matcher.take_snapshot(mapper)
        else:
            reserved = await context.store.find_snapshot_matches(
                context.snapshot_key, kind, path, values
            )
            return {make_match_key(path, each) for each in taken} | reserved.keys()
    found = await context.store.find_snapshot_matches(
        context.snapshot_key, kind, path, values
    )
    return set(found)


def _pick_free_value(path: str, options: Iterable[str], taken: set[str]) -> str | None:
    for each in options:
        key = make_match_key(path, each)
        if key not in taken:
            taken.add(key)
            return each
    return None


def _assign_values(
    path: str, requests: Sequence[UniqueValueRequest], taken: set[str]
) -> UniqueValues:
    chosen: UniqueValues = {}
    for each in requests:
        free = _pick_free_value(path, each.options[path], taken)
        chosen[each.object_guid] = (
            {path: free} if free else MappingFault(path, NO_FREE_VALUE)
        )
    return chosen


async def _reserve_values(
    matcher: Matcher, mapper: Mapper, path: str, chosen: UniqueValues
) -> None:
    """Add the chosen values to the snapshot, where later batches look."""
    reserved = [
        TargetResource(id=f"given:{id_}", values=flat)
        for id_, flat in chosen.items()
        if not isinstance(flat, MappingFault)
    ]
    context = matcher.context
    await context.store.save_snapshot(
        context.snapshot_key, mapper.resource_type, reserved, [path]
    )


async def choose_unique_values(
    matcher: Matcher, mapper: Mapper, requests: Sequence[UniqueValueRequest]
) -> UniqueValues:
    """Choose the values of a batch of objects of one type, in order.

    An object with a fault at any path gets no values.
    """
    chosen: dict[str, FlatResource] = {}
    faults: dict[str, MappingFault] = {}
    for path in mapper.unique_paths:
        asking = [each for each in requests if path in each.options]
        values = [value for each in asking for value in each.options[path]]
        if not asking:
            continue
        try:
            taken = await _find_taken_values(
                matcher, mapper, path, list(dict.fromkeys(values))
            )
        except Refusal as refusal:
            fault = MappingFault(
                path, f"The target refused the lookup: {refusal.reason}"
            )
            faults |= {each.object_guid: fault for each in asking}
            continue
        assigned = _assign_values(path, asking, taken)
        await _reserve_values(matcher, mapper, path, assigned)
        for id_, flat in assigned.items():
            if isinstance(flat, MappingFault):
                faults[id_] = flat
            else:
                chosen[id_] = chosen.get(id_, {}) | flat
    return {**chosen, **faults}
