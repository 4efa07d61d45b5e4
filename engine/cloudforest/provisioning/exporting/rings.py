"""Objects that exchange a unique value: one of each ring steps aside for a moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from cloudforest.model.outcomes import Refusal
from cloudforest.model.provisioning import PHASE_RETRY, Change, Effect, Link, Outcome
from cloudforest.program.attribute import comparable
from cloudforest.provisioning.escrow import escrow
from cloudforest.provisioning.exporting.sending import link_of, rewritten
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import WAITS_FOR_STAGE, staged_owners
from cloudforest.provisioning.run import Run

BATCH = 500
CONFLICT = "conflict: "
REKEYS = frozenset({"rekeys"})
"""The budget that whoever exchanges a value bears in any case."""
Value = tuple[str, str, str]
"""Resource type, path, and the text as compared."""


def _moves(effect: Effect) -> Iterator[Change]:
    """Yield the changes from one text to another."""
    for each in effect.changes:
        if isinstance(each.before, str) and isinstance(each.after, str):
            yield each


def _value(effect: Effect, path: str, text: str) -> Value:
    return effect.resource_type, path, comparable(path, text)


def _ways(effects: Iterable[Effect]) -> dict[str, dict[str, str]]:
    """Return by path who is in whose way: by key, the key of the one before them."""
    effects = list(effects)
    holders = {
        _value(each, move.path, move.before): each.key
        for each in effects
        for move in _moves(each)
    }
    ways: dict[str, dict[str, str]] = {}
    for each in effects:
        for move in _moves(each):
            holder = holders.get(_value(each, move.path, move.after))
            if holder is not None and holder != each.key:
                ways.setdefault(move.path, {})[each.key] = holder
    return ways


def _rings_of(way: Mapping[str, str]) -> Iterator[list[str]]:
    seen: set[str] = set()
    for start in sorted(way):
        trail: list[str] = []
        at: str | None = start
        while at is not None and at not in seen:
            seen.add(at)
            trail.append(at)
            at = way.get(at)
        if at in trail:
            yield trail[trail.index(str(at)) :]


def rings(effects: Iterable[Effect]) -> list[tuple[str, list[str]]]:
    """Return each ring as its path and the keys of its effects. Pure."""
    return [
        (path, ring)
        for path, way in sorted(_ways(effects).items())
        for ring in _rings_of(way)
    ]


def parked(value: str, id_: str) -> str:
    """Return a value that nobody has; an address keeps its domain."""
    _, at, domain = value.rpartition("@")
    return f"parked-{id_}{at}{domain if at else ''}"


def _aside(effect: Effect, paths: Sequence[str]) -> tuple[Change, ...]:
    return tuple(
        replace(move, after=parked(move.before, effect.id))
        for move in _moves(effect)
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
    return in_conflict and REKEYS.issuperset(held.guards)


async def _with_waiting(run: Run, stuck: Sequence[Effect]) -> dict[str, Effect]:
    """Add who was in conflict before, and waits in escrow."""
    found: dict[str, Effect] = {}
    after = ""
    while page := await run.store.escrow_page(run.rows, after=after, limit=BATCH):
        found |= {each.key: each for each, _ in page if _may_be_freed(each)}
        after = page[-1][0].key
    return found | {each.key: each for each in stuck}


async def _free(run: Run, effects: Sequence[Effect]) -> None:
    """Let those be tried again now that were in escrow."""
    held = [each for each in effects if each.state == "escrowed"]
    run.counts.escrow -= len(held)
    freed = [replace(each, state="pending", phase=PHASE_RETRY) for each in held]
    await run.store.save_effects(run.rows, run.id, freed)


async def break_rings(run: Run, stuck: Sequence[Effect]) -> frozenset[str]:
    """Park one of each ring that those in conflict are part of; return the rings' keys.

    What waits in escrow for its conflict is tried again with its ring.
    """
    if not stuck:
        return frozenset()
    effects = await _with_waiting(run, stuck)
    keys = {each.key for each in stuck}
    found = [(path, ring) for path, ring in rings(effects.values()) if keys & {*ring}]
    members = frozenset(key for _, ring in found for key in ring)
    await _free(run, [effects[key] for key in sorted(members)])
    paths: dict[str, list[str]] = {}
    for path, ring in found:
        paths.setdefault(ring[0], []).append(path)
    links = await run.store.links(run.job.target, [effects[key].id for key in paths])
    for key, some in paths.items():
        if (link := links.get(effects[key].id)) is not None:
            await _park(run, effects[key], link, some)
    return members


async def in_the_way(run: Run, mapper: Mapper, effect: Effect) -> str | None:
    """Say that who has the value can't give it up before somebody decides."""
    for each in effect.changes:
        keys = {rule.target for rule in mapper.matching}
        if each.before == each.after or each.path not in keys or each.after is None:
            continue
        found = await run.target.find(
            mapper.resource_type, each.path, str(each.after), ()
        )
        owners = await run.store.linked_resources(
            run.job.target, [resource.id for resource in found]
        )
        if await staged_owners(
            run, [id_ for id_ in owners.values() if id_ != effect.id]
        ):
            return WAITS_FOR_STAGE
    return None
