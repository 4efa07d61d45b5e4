"""Objects that exchange a unique value: one of each ring steps aside for a moment.

Who is in whose way: effects that want a unique value that another one has.
"""

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

from cloudforest.model.effects import (
    PHASE_RETRY,
    Change,
    Effect,
    Outcome,
)
from cloudforest.model.ports.target import Refusal
from cloudforest.model.source import Link
from cloudforest.model.stages import REKEYS
from cloudforest.program.mapping.desired import make_match_key
from cloudforest.provisioning.export.requests import apply_changes, build_link
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import (
    WAITS_FOR_STAGE,
    find_staged_owners,
    get_match_value,
)
from cloudforest.provisioning.run import CycleContext

ValueKey = tuple[str, str, str]
"""Resource type, path, and the text as compared."""
ValueSwap = tuple[str, tuple[str, ...]]
"""A path, and the keys of the effects that exchange its values."""


def list_text_changes(effect: Effect) -> Iterator[Change]:
    """Yield the changes from one text to another."""
    for each in effect.changes:
        if isinstance(each.before, str) and isinstance(each.after, str):
            yield each


def _hash_value(effect: Effect, path: str, text: str) -> int:
    value: ValueKey = effect.resource_type, path, make_match_key(path, text)
    return hash(value)


@dataclass
class SwapGraph:
    """Who is in whose way: keys and hashes only, as there may be many effects.

    Two values of one hash make a ring at worst whose writes are refused as before.
    """

    holders: dict[int, str] = field(default_factory=dict)
    blocked_by: dict[str, dict[str, str]] = field(default_factory=dict)

    def add_holders(self, effects: Iterable[Effect]) -> None:
        """Note who has a value now; of all effects, before they are followed."""
        for each in effects:
            for move in list_text_changes(each):
                self.holders[_hash_value(each, move.path, move.before)] = each.key

    def add_blocked(self, effects: Iterable[Effect]) -> None:
        """Note by path the one before each: who has the value that it wants."""
        for each in effects:
            for move in list_text_changes(each):
                holder = self.holders.get(_hash_value(each, move.path, move.after))
                if holder is not None and holder != each.key:
                    self.blocked_by.setdefault(move.path, {})[each.key] = holder

    def find_swaps(self) -> Iterator[ValueSwap]:
        for path, way in sorted(self.blocked_by.items()):
            for ring in _find_loops(way):
                yield path, tuple(ring)


def _find_loops(way: Mapping[str, str]) -> Iterator[list[str]]:
    seen: set[str] = set()
    for start in sorted(way):
        trail: dict[str, int] = {}
        at: str | None = start
        while at is not None and at not in seen:
            seen.add(at)
            trail[at] = len(trail)
            at = way.get(at)
        if at in trail:
            yield list(trail)[trail[str(at)] :]


def find_swaps(effects: Iterable[Effect]) -> list[ValueSwap]:
    """Return each ring as its path and the keys of its effects. Pure."""
    ways, known = SwapGraph(), list(effects)
    ways.add_holders(known)
    ways.add_blocked(known)
    return list(ways.find_swaps())


BATCH = 500
CONFLICT_PREFIX = "conflict: "


def make_temporary_value(value: str, id_: str) -> str:
    """Return a value that nobody has; an address keeps its domain."""
    _, at, domain = value.rpartition("@")
    return f"parked-{id_}{at}{domain if at else ''}"


def _temporary_changes(effect: Effect, paths: Sequence[str]) -> tuple[Change, ...]:
    return tuple(
        replace(move, after=make_temporary_value(move.before, effect.id))
        for move in list_text_changes(effect)
        if move.path in paths
    )


def _remaining_effect(effect: Effect, temporary: Sequence[Change]) -> Effect:
    """Return what is left to write of an effect from where the object was parked."""
    now = {each.path: each.after for each in temporary}
    changes = tuple(
        replace(each, before=now.get(each.path, each.before)) for each in effect.changes
    )
    return replace(effect, changes=changes, state="pending", phase=PHASE_RETRY)


async def _write_temporary_values(
    context: CycleContext, effect: Effect, link: Link, paths: Sequence[str]
) -> None:
    """Park an object; that it is parked is stored before it is sent.

    Killed in between, the next cycle writes the final value in any case.
    """
    aside = _temporary_changes(effect, paths)
    left = _remaining_effect(effect, aside)
    written = apply_changes(link.last_written, aside)
    outcome = Outcome(
        effect=left,
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
        await context.target.modify(effect.resource_type, link.resource, aside)
    except Refusal as refusal:
        held = left.escrowed(f"{CONFLICT_PREFIX}{refusal.reason}", context.clock())
        await context.store.save_effects(context.key_name, context.cycle_id, [held])


def _waits_for_value_only(held: Effect) -> bool:
    """Tell whether it waits for a value alone: the guard has not counted it."""
    in_conflict = (held.reason or "").startswith(CONFLICT_PREFIX)
    return in_conflict and {REKEYS}.issuperset(held.guards)


async def _list_escrowed_conflicts(
    context: CycleContext,
) -> AsyncIterator[list[Effect]]:
    """Yield who was in conflict before, and waits in escrow."""
    after = ""
    while page := await context.store.list_escrowed_effects(
        context.key_name, after=after, limit=BATCH
    ):
        yield [each for each, _ in page if _waits_for_value_only(each)]
        after = page[-1][0].key


async def _release_conflicts(context: CycleContext, effects: Sequence[Effect]) -> bool:
    """Let those be tried again now that were in escrow; False: no budget bears them."""
    held = [each for each in effects if each.state == "escrowed"]
    room = context.remaining_budgets.get(REKEYS)
    if room is not None:
        if len(held) > room:
            return False
        context.remaining_budgets[REKEYS] = room - len(held)
    context.counts.escrow -= len(held)
    freed = [replace(each, state="pending", phase=PHASE_RETRY) for each in held]
    await context.store.save_effects(context.key_name, context.cycle_id, freed)
    return True


async def _break_batch(
    context: CycleContext, found: Mapping[str, Sequence[ValueSwap]]
) -> frozenset[str]:
    """Break rings, by the key of their first effect; return whose they were."""
    keys = {key for some in found.values() for _, ring in some for key in ring}
    effects = await context.store.load_effects(context.key_name, sorted(keys))
    links = await context.store.load_links(
        context.job.target, [effects[key].id for key in found]
    )
    broken: set[str] = set()
    for first, some in found.items():
        members = {key for _, ring in some for key in ring}
        if not await _release_conflicts(
            context, [effects[key] for key in sorted(members - broken)]
        ):
            continue
        broken |= members
        if (link := links.get(effects[first].id)) is not None:
            await _write_temporary_values(
                context, effects[first], link, [path for path, _ in some]
            )
    return frozenset(broken)


BatchReader = Callable[[], AsyncIterator[list[Effect]]]
"""Yields effects, a batch at a time, each time it is called."""


async def _build_swap_graph(
    context: CycleContext, read_conflicts: BatchReader
) -> tuple[SwapGraph, set[str]]:
    """Return who is in whose way, and the keys of those stuck."""
    ways, keys = SwapGraph(), set[str]()
    async for batch in read_conflicts():
        ways.add_holders(batch)
        keys.update(each.key for each in batch)
    waiting = partial(_list_escrowed_conflicts, context)
    async for batch in waiting() if keys else read_conflicts():
        ways.add_holders(each for each in batch if each.key not in keys)
    for read in (read_conflicts, waiting) if keys else ():
        async for batch in read():
            ways.add_blocked(batch)
    return ways, keys


async def break_swaps(
    context: CycleContext, read_conflicts: BatchReader
) -> frozenset[str]:
    """Park one of each ring that those in conflict are part of; return the rings' keys.

    What waits in escrow for its conflict is tried again with its ring, if the guard
    bears it.
    """
    ways, keys = await _build_swap_graph(context, read_conflicts)
    found: dict[str, list[ValueSwap]] = {}
    for path, ring in ways.find_swaps():
        if not keys.isdisjoint(ring):
            found.setdefault(ring[0], []).append((path, ring))
    broken: frozenset[str] = frozenset()
    firsts = iter(found)
    while some := list(islice(firsts, BATCH)):
        broken |= await _break_batch(context, {first: found[first] for first in some})
    return broken


async def find_blocking_stage(
    context: CycleContext, mapper: Mapper, effect: Effect
) -> str | None:
    """Say that who has the value can't give it up before somebody decides."""
    for each in effect.changes:
        keys = {rule.target for rule in mapper.matching_mappings}
        value = get_match_value({each.path: each.after}, each.path)
        if each.before == each.after or each.path not in keys or value is None:
            continue
        found = await context.target.find(mapper.resource_type, each.path, value, ())
        owners = await context.store.find_linked_objects(
            context.job.target, [resource.id for resource in found]
        )
        if await find_staged_owners(
            context, [id_ for id_ in owners.values() if id_ != effect.id]
        ):
            return WAITS_FOR_STAGE
    return None
