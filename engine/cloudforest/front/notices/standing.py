"""What holds now that somebody is to be told, and what of it was not told yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cloudforest.model.notices import Notice, NoticeKind, Occurrence


@dataclass(frozen=True)
class Telling:
    """A notice of what holds. It is sent when one of its occurrences was not told."""

    notice: Notice
    occurrences: frozenset[Occurrence]
    recipients: tuple[str, ...]


@dataclass(frozen=True)
class Undecided:
    """Whether this holds can't be said at present: what was told stays told."""

    kind: NoticeKind
    name: str


@dataclass(frozen=True)
class Standing:
    tellings: tuple[Telling, ...]
    undecided: frozenset[tuple[NoticeKind, str]]

    def untold(self, told: frozenset[Occurrence]) -> list[Telling]:
        return [each for each in self.tellings if each.occurrences - told]

    def cleared(self, told: frozenset[Occurrence]) -> frozenset[Occurrence]:
        """Return what was told and holds no more, so that its return is told again."""
        holding = {one for each in self.tellings for one in each.occurrences}
        return frozenset(
            each
            for each in told - holding
            if (each.kind, each.name) not in self.undecided
        )


def standing(found: Iterable[Telling | Undecided]) -> Standing:
    tellings: list[Telling] = []
    undecided: set[tuple[NoticeKind, str]] = set()
    for each in found:
        match each:
            case Telling():
                tellings.append(each)
            case Undecided(kind, name):
                undecided.add((kind, name))
    return Standing(tuple(tellings), frozenset(undecided))
