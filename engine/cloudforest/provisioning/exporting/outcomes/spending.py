"""What the effects that were written cost their budgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cloudforest.model.provisioning import Outcome, Spent


def _empties(outcome: Outcome) -> bool:
    return bool(outcome.removed) and "groupsEmptied" in outcome.effect.guards


@dataclass
class Spending:
    """`emptied` are the groups that this cycle has emptied: each is counted once."""

    emptied: set[str] = field(default_factory=set)

    def of(self, outcomes: Iterable[Outcome], now: datetime) -> list[Spent]:
        """Return what was spent. What somebody released costs nothing."""
        sums: Counter[str] = Counter()
        groups: set[str] = set()
        for each in outcomes:
            if each.state == "done" and each.effect.stage is None:
                sums.update(dict(_costs(each)))
                groups.update([each.effect.id] if _empties(each) else [])
        sums["groupsEmptied"] = len(groups - self.emptied)
        return [
            Spent(guard=guard, effects=effects, time=now)
            for guard, effects in sorted(sums.items())
            if effects
        ]

    def stored(self, outcomes: Iterable[Outcome]) -> None:
        """Remember the groups that are emptied."""
        self.emptied.update(each.effect.id for each in outcomes if _empties(each))


def _costs(outcome: Outcome) -> Iterator[tuple[str, int]]:
    """Yield what each budget bears, emptied groups aside."""
    for guard in outcome.effect.guards:
        if guard == "memberRemovals":
            yield guard, len(outcome.removed)
        elif guard != "groupsEmptied":
            yield guard, 1
