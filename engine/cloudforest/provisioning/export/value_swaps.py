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

from cloudforest.model.effects import PHASE_RETRY, Change, Effect, Outcome, escrow
from cloudforest.model.ports.target import Refusal
from cloudforest.model.source import Link
from cloudforest.model.stages import REKEYS
from cloudforest.program.mapping.desired import comparable
from cloudforest.provisioning.export.requests import link_of, rewritten
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import WAITS_FOR_STAGE, sought, staged_owners
from cloudforest.provisioning.run import Run

Value = tuple[str, str, str]
"""Resource type, path, and the text as compared."""
Ring = tuple[str, tuple[str, ...]]
"""A path, and the keys of the effects that exchange its values."""


def moves(effect: Effect) -> Iterator[Change]:
    """Yield the changes from one text to another."""
    for each in effect.changes:
        if isinstance(each.before, str) and isinstance(each.after, str):
            yield each


def _value(effect: Effect, path: str, text: str) -> int:
    value: Value = effect.resource_type, path, comparable(path, text)
    return hash(value)


@dataclass
class Ways:
    """Who is in whose way: keys and hashes only, as there may be many effects.

    Two values of one hash make a ring at worst whose writes are refused as before.
    """

    holders: dict[int, str] = field(default_factory=dict)
    before: dict[str, dict[str, str]] = field(default_factory=dict)

    def hold(self, effects: Iterable[Effect]) -> None:
        """Note who has a value now; of all effects, before they are followed."""
        for each in effects:
            for move in moves(each):
                self.holders[_value(each, move.path, move.before)] = each.key

    def follow(self, effects: Iterable[Effect]) -> None:
        """Note by path the one before each: who has the value that it wants."""
        for each in effects:
            for move in moves(each):
                holder = self.holders.get(_value(each, move.path, move.after))
                if holder is not None and holder != each.key:
                    self.before.setdefault(move.path, {})[each.key] = holder

    def rings(self) -> Iterator[Ring]:
        for path, way in sorted(self.before.items()):
            for ring in _rings_of(way):
                yield path, tuple(ring)


def _rings_of(way: Mapping[str, str]) -> Iterator[list[str]]:
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


def rings(effects: Iterable[Effect]) -> list[Ring]:
    """Return each ring as its path and the keys of its effects. Pure."""
    ways, known = Ways(), list(effects)
    ways.hold(known)
    ways.follow(known)
    return list(ways.rings())


BATCH = 500
CONFLICT = "conflict: "


def parked(value: str, id_: str) -> str:
    """Return a value that nobody has; an address keeps its domain."""
    _, at, domain = value.rpartition("@")
    return f"parked-{id_}{at}{domain if at else ''}"


def _aside(effect: Effect, paths: Sequence[str]) -> tuple[Change, ...]:
    return tuple(
        replace(move, after=parked(move.before, effect.id))
        for move in moves(effect)
        if move.path in paths
    )


def _after(effect: Effect, aside: Sequence[Change]) -> Effect:
    """Return what is left to write of an effect from where the object was parked."""
    now = {each.path: each.after for each in aside}
    changes = tuple(
        replace(each, before=now.get(each.path, each.before)) for each in effect.changes
    )
    return replace(effect, changes=changes, state="pending", phase=PHASE_RETRY)


async def _park(run: Run, effect: Effect, link: Link, paths: Sequence[str]) -> None:
    """Park an object; that it is parked is stored before it is sent.

    Killed in between, the next cycle writes the final value in any case.
    """
    aside = _aside(effect, paths)
    left = _after(effect, aside)
    written = rewritten(link.written, aside)
    outcome = Outcome(
        effect=left,
        state="pending",
        link=link_of(effect, link.resource, written, link),
    )
    await run.store.record(run.rows, run.job.target, run.id, outcomes=[outcome], log=[])
    try:
        await run.target.modify(effect.resource_type, link.resource, aside)
    except Refusal as refusal:
        held = escrow(left, f"{CONFLICT}{refusal.reason}", run.clock())
        await run.store.save_effects(run.rows, run.id, [held])


def _may_be_freed(held: Effect) -> bool:
    """Tell whether it waits for a value alone: the guard has not counted it."""
    in_conflict = (held.reason or "").startswith(CONFLICT)
    return in_conflict and {REKEYS}.issuperset(held.guards)


async def _waiting(run: Run) -> AsyncIterator[list[Effect]]:
    """Yield who was in conflict before, and waits in escrow."""
    after = ""
    while page := await run.store.escrow_page(run.rows, after=after, limit=BATCH):
        yield [each for each, _ in page if _may_be_freed(each)]
        after = page[-1][0].key


async def _free(run: Run, effects: Sequence[Effect]) -> bool:
    """Let those be tried again now that were in escrow; False: no budget bears them."""
    held = [each for each in effects if each.state == "escrowed"]
    room = run.room.get(REKEYS)
    if room is not None:
        if len(held) > room:
            return False
        run.room[REKEYS] = room - len(held)
    run.counts.escrow -= len(held)
    freed = [replace(each, state="pending", phase=PHASE_RETRY) for each in held]
    await run.store.save_effects(run.rows, run.id, freed)
    return True


async def _break(run: Run, found: Mapping[str, Sequence[Ring]]) -> frozenset[str]:
    """Break rings, by the key of their first effect; return whose they were."""
    keys = {key for some in found.values() for _, ring in some for key in ring}
    effects = await run.store.effects(run.rows, sorted(keys))
    links = await run.store.links(run.job.target, [effects[key].id for key in found])
    broken: set[str] = set()
    for first, some in found.items():
        members = {key for _, ring in some for key in ring}
        if not await _free(run, [effects[key] for key in sorted(members - broken)]):
            continue
        broken |= members
        if (link := links.get(effects[first].id)) is not None:
            await _park(run, effects[first], link, [path for path, _ in some])
    return frozenset(broken)


Batches = Callable[[], AsyncIterator[list[Effect]]]
"""Yields effects, a batch at a time, each time it is called."""


async def _ways(run: Run, stuck: Batches) -> tuple[Ways, set[str]]:
    """Return who is in whose way, and the keys of those stuck."""
    ways, keys = Ways(), set[str]()
    async for batch in stuck():
        ways.hold(batch)
        keys.update(each.key for each in batch)
    waiting = partial(_waiting, run)
    async for batch in waiting() if keys else stuck():
        ways.hold(each for each in batch if each.key not in keys)
    for read in (stuck, waiting) if keys else ():
        async for batch in read():
            ways.follow(batch)
    return ways, keys


async def break_rings(run: Run, stuck: Batches) -> frozenset[str]:
    """Park one of each ring that those in conflict are part of; return the rings' keys.

    What waits in escrow for its conflict is tried again with its ring, if the guard
    bears it.
    """
    ways, keys = await _ways(run, stuck)
    found: dict[str, list[Ring]] = {}
    for path, ring in ways.rings():
        if not keys.isdisjoint(ring):
            found.setdefault(ring[0], []).append((path, ring))
    broken: frozenset[str] = frozenset()
    firsts = iter(found)
    while some := list(islice(firsts, BATCH)):
        broken |= await _break(run, {first: found[first] for first in some})
    return broken


async def in_the_way(run: Run, mapper: Mapper, effect: Effect) -> str | None:
    """Say that who has the value can't give it up before somebody decides."""
    for each in effect.changes:
        keys = {rule.target for rule in mapper.matching}
        value = sought({each.path: each.after}, each.path)
        if each.before == each.after or each.path not in keys or value is None:
            continue
        found = await run.target.find(mapper.resource_type, each.path, value, ())
        owners = await run.store.linked_resources(
            run.job.target, [resource.id for resource in found]
        )
        if await staged_owners(
            run, [id_ for id_ in owners.values() if id_ != effect.id]
        ):
            return WAITS_FOR_STAGE
    return None
