"""SelectUniqueValue: the first value that no resource of the target has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cloudforest.model.ports.target import Refusal
from cloudforest.model.source import Flat, TargetResource
from cloudforest.program.expressions.analysis import UNIQUE
from cloudforest.program.faults import MappingFault
from cloudforest.program.mapping.desired import comparable
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import NO_SUCH_FILTER, Matcher

NONE_FREE = f"{UNIQUE} makes no value that the target does not have."


@dataclass(frozen=True)
class Choosing:
    """An object to be created; `candidates` are in order, by SCIM path."""

    id: str
    candidates: Mapping[str, tuple[str, ...]]


Chosen = dict[str, Flat | MappingFault]
"""By the object's id: the value of each path, or why there is none."""


async def _held(
    matcher: Matcher, mapper: Mapper, path: str, values: Sequence[str]
) -> set[str]:
    """Return the values that the target has, or that this cycle has given away."""
    run, kind = matcher.run, mapper.resource_type
    if kind not in matcher.pictured:
        try:
            there = await run.target.taken(kind, path, values)
        except Refusal as refusal:
            if refusal.status not in NO_SUCH_FILTER:
                raise
            await matcher.picture(mapper)
        else:
            given = await run.store.matches(run.picture, kind, path, values)
            return {comparable(path, each) for each in there} | given.keys()
    found = await run.store.matches(run.picture, kind, path, values)
    return set(found)


def _free(path: str, candidates: Iterable[str], held: set[str]) -> str | None:
    for each in candidates:
        key = comparable(path, each)
        if key not in held:
            held.add(key)
            return each
    return None


def _give(path: str, waiting: Sequence[Choosing], held: set[str]) -> Chosen:
    chosen: Chosen = {}
    for each in waiting:
        free = _free(path, each.candidates[path], held)
        chosen[each.id] = {path: free} if free else MappingFault(path, NONE_FREE)
    return chosen


async def _keep(matcher: Matcher, mapper: Mapper, path: str, chosen: Chosen) -> None:
    """Put what was given away into the picture, where later batches look."""
    given = [
        TargetResource(id=f"given:{id_}", values=flat)
        for id_, flat in chosen.items()
        if not isinstance(flat, MappingFault)
    ]
    run = matcher.run
    await run.store.save_snapshot(run.picture, mapper.resource_type, given, [path])


async def choose(
    matcher: Matcher, mapper: Mapper, waiting: Sequence[Choosing]
) -> Chosen:
    """Choose for a batch of objects of one type, one after the other."""
    chosen: Chosen = {}
    for path in mapper.unique:
        asking = [each for each in waiting if path in each.candidates]
        values = [value for each in asking for value in each.candidates[path]]
        if not asking:
            continue
        try:
            held = await _held(matcher, mapper, path, list(dict.fromkeys(values)))
        except Refusal as refusal:
            fault = MappingFault(path, f"The target can't be asked: {refusal.reason}")
            chosen |= {each.id: fault for each in asking}
            continue
        given = _give(path, asking, held)
        await _keep(matcher, mapper, path, given)
        for id_, flat in given.items():
            before = chosen.get(id_, {})
            failed = isinstance(before, MappingFault) or isinstance(flat, MappingFault)
            chosen[id_] = flat if failed else {**before, **flat}  # type: ignore[dict-item]
    return chosen
