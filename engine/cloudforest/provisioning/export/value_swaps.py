"""Exchanges unique values: one object of each swap takes a temporary value first."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from msgspec.structs import replace

from cloudforest.model.effects import PHASE_RETRY, Change, Effect, Outcome
from cloudforest.model.ports.target import Refusal
from cloudforest.model.source import Link
from cloudforest.model.stages import REKEYS
from cloudforest.program.mapping.desired import make_match_key
from cloudforest.provisioning.differences import apply_changes, build_link
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import (
    WAITS_FOR_STAGE,
    find_staged_owners,
    get_match_value,
)
from cloudforest.provisioning.run import CycleContext, read_pages

BATCH = 500
CONFLICT_PREFIX = "conflict: "

ValueSwap = tuple[str, tuple[str, ...]]
"""A path, and the keys of the effects that exchange its values."""
BatchReader = Callable[[], AsyncIterator[list[Effect]]]
"""Yields effects in batches, each time it is called."""


def list_text_changes(effect: Effect) -> Iterator[Change]:
    """Yield the changes that replace one text by another."""
    for each in effect.changes:
        if isinstance(each.before, str) and isinstance(each.after, str):
            yield each


def _hash_value(effect: Effect, path: str, text: str) -> int:
    return hash((effect.resource_type, path, make_match_key(path, text)))


def _find_loops(blocked_by: Mapping[str, str]) -> Iterator[list[str]]:
    seen: set[str] = set()
    for start in sorted(blocked_by):
        trail: dict[str, int] = {}
        at: str | None = start
        while at is not None and at not in seen:
            seen.add(at)
            trail[at] = len(trail)
            at = blocked_by.get(at)
        if at in trail:
            yield list(trail)[trail[str(at)] :]


@dataclass
class SwapGraph:
    """Which effect blocks which: one holds the unique value that the other wants.

    `holders` are effect keys by value hash. `blocked_by` maps keys to keys, by path.
    Only keys and hashes are kept: there may be many effects. If two values share a
    hash, the target refuses their writes as before.
    """

    holders: dict[int, str] = field(default_factory=dict)
    blocked_by: dict[str, dict[str, str]] = field(default_factory=dict)

    def add_holders(self, effects: Iterable[Effect]) -> None:
        """Record the holders of values; do so for all effects before `add_blocked`."""
        for each in effects:
            for change in list_text_changes(each):
                self.holders[_hash_value(each, change.path, change.before)] = each.key

    def add_blocked(self, effects: Iterable[Effect]) -> None:
        """Record, by path, which effect holds the value that each effect wants."""
        for each in effects:
            for change in list_text_changes(each):
                holder = self.holders.get(_hash_value(each, change.path, change.after))
                if holder is not None and holder != each.key:
                    self.blocked_by.setdefault(change.path, {})[each.key] = holder

    def find_swaps(self) -> Iterator[ValueSwap]:
        for path, blocked_by in sorted(self.blocked_by.items()):
            for keys in _find_loops(blocked_by):
                yield path, tuple(keys)


def make_temporary_value(value: str, guid: str) -> str:
    """Return a value that no other resource has; an address keeps its domain."""
    _, at, domain = value.rpartition("@")
    return f"parked-{guid}{at}{domain if at else ''}"


async def _write_temporary_values(
    context: CycleContext, effect: Effect, link: Link, paths: Sequence[str]
) -> None:
    """Give an object temporary values; store this before the request.

    If the cycle is killed in between, the next one still writes the final values.
    """
    temporary = tuple(
        replace(each, after=make_temporary_value(each.before, effect.id))
        for each in list_text_changes(effect)
        if each.path in paths
    )
    values = {each.path: each.after for each in temporary}
    # What remains to do is to write the final values over the temporary ones.
    changes = tuple(
        replace(each, before=values.get(each.path, each.before))
        for each in effect.changes
    )
    remaining = replace(effect, changes=changes, state="pending", phase=PHASE_RETRY)
    written = apply_changes(link.last_written, temporary)
    outcome = Outcome(
        effect=remaining,
        state="pending",
        link=build_link(effect, link.resource, written, link),
    )
    await context.store.save_outcomes(
        context.key_name,
        context.job.target,
        context.cycle_id,
        outcomes=[outcome],
        log=[],
    )
    try:
        await context.target.modify(effect.resource_type, link.resource, temporary)
    except Refusal as refusal:
        escrowed = remaining.escrowed(
            f"{CONFLICT_PREFIX}{refusal.reason}", context.clock()
        )
        await context.store.save_effects(context.key_name, context.cycle_id, [escrowed])


async def _list_escrowed_conflicts(
    context: CycleContext,
) -> AsyncIterator[list[Effect]]:
    """Yield the conflicts in escrow that need no budget but that of rekeys.

    The guard of this cycle has not counted effects in escrow.
    """
    async for page in read_pages(
        lambda after: context.store.list_escrowed_effects(
            context.key_name, after=after, limit=BATCH
        ),
        key_of=lambda each: each[0].key,
    ):
        yield [
            each
            for each, _ in page
            if (each.reason or "").startswith(CONFLICT_PREFIX)
            and set(each.guards) <= {REKEYS}
        ]


async def _release_conflicts(context: CycleContext, effects: Sequence[Effect]) -> bool:
    """Release effects from escrow; False: the budget of rekeys does not allow it."""
    escrowed = [each for each in effects if each.state == "escrowed"]
    progress = context.progress
    if progress.remaining_rekeys is not None:
        if len(escrowed) > progress.remaining_rekeys:
            return False
        progress.remaining_rekeys -= len(escrowed)
    context.counts.escrow -= len(escrowed)
    released = [replace(each, state="pending", phase=PHASE_RETRY) for each in escrowed]
    await context.store.save_effects(context.key_name, context.cycle_id, released)
    return True


async def _break_batch(
    context: CycleContext, swaps: Mapping[str, Sequence[ValueSwap]]
) -> frozenset[str]:
    """Break swaps, given by the key of their first effect; return all their keys."""
    all_keys = {key for group in swaps.values() for _, keys in group for key in keys}
    effects = await context.store.load_effects(context.key_name, sorted(all_keys))
    links = await context.load_links([effects[key].id for key in swaps])
    broken: set[str] = set()
    for first, group in swaps.items():
        group_keys = {key for _, keys in group for key in keys}
        if not await _release_conflicts(
            context, [effects[key] for key in sorted(group_keys - broken)]
        ):
            continue
        broken |= group_keys
        if (link := links.get(effects[first].id)) is not None:
            await _write_temporary_values(
                context, effects[first], link, [path for path, _ in group]
            )
    return frozenset(broken)


async def _build_swap_graph(
    context: CycleContext, read_conflicts: BatchReader
) -> tuple[SwapGraph, set[str]]:
    """Return the graph, and the keys of the effects in conflict."""
    graph, keys = SwapGraph(), set[str]()
    async for batch in read_conflicts():
        graph.add_holders(batch)
        keys.update(each.key for each in batch)
    if not keys:
        return graph, keys
    read_escrowed = partial(_list_escrowed_conflicts, context)
    async for batch in read_escrowed():
        graph.add_holders(each for each in batch if each.key not in keys)
    for read in (read_conflicts, read_escrowed):
        async for batch in read():
            graph.add_blocked(batch)
    return graph, keys


async def break_swaps(
    context: CycleContext, read_conflicts: BatchReader
) -> frozenset[str]:
    """Give one object of each swap a temporary value; return the keys of the swaps.

    Only swaps with an effect in conflict count. Their effects in escrow are tried
    again, if the guard allows.
    """
    graph, conflicts = await _build_swap_graph(context, read_conflicts)
    swaps: dict[str, list[ValueSwap]] = {}
    for path, keys in graph.find_swaps():
        if not conflicts.isdisjoint(keys):
            swaps.setdefault(keys[0], []).append((path, keys))
    broken: frozenset[str] = frozenset()
    firsts = iter(swaps)
    while batch := list(islice(firsts, BATCH)):
        broken |= await _break_batch(context, {first: swaps[first] for first in batch})
    return broken


async def find_blocking_stage(
    context: CycleContext, mapper: Mapper, effect: Effect
) -> str | None:
    """Return the reason if the value's holder waits for a stage decision."""
    matching_paths = {rule.target for rule in mapper.matching_mappings}
    for each in effect.changes:
        value = get_match_value({each.path: each.after}, each.path)
        unchanged = each.before == each.after
        if unchanged or each.path not in matching_paths or value is None:
            continue
        found = await context.target.find(mapper.resource_type, each.path, value, ())
        owners = await context.store.find_linked_objects(
            context.job.target, [resource.id for resource in found]
        )
        if await find_staged_owners(
            context, [guid for guid in owners.values() if guid != effect.id]
        ):
            return WAITS_FOR_STAGE
    return None
