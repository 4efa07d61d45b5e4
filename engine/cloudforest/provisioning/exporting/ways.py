"""Who is in whose way: effects that want a unique value that another one has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cloudforest.model.provisioning import Change, Effect
from cloudforest.program.attribute import comparable

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
