"""The words that all renderings of a plan share."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from cloudforest.plan.change import FieldChange
from cloudforest.plan.lists import gone_and_new, has_order
from cloudforest.plan.plan import Guard, JobImpact, Plan

COUNTED = {
    "read": "objects read",
    "inScope": "in scope",
    "create": "created",
    "adopt": "adopted",
    "update": "updated",
    "enable": "enabled",
    "disable": "disabled",
    "delete": "deleted",
    "memberAdd": "memberships added",
    "memberRemove": "memberships removed",
    "purge": "purged",
    "blank": "values cleared",
    "unchanged": "unchanged",
    "skipped": "skipped",
    "escrow": "in escrow",
    "staged": "staged",
}
"""The counts of a cycle in the words of its summary."""

_PLANNED = {
    "create": "{} to create",
    "adopt": "{} to adopt",
    "update": "{} to update",
    "enable": "{} to enable",
    "disable": "{} to disable",
    "delete": "{} to delete",
    "memberAdd": "{} memberships to add",
    "memberRemove": "{} memberships to remove",
    "blank": "{} values to clear",
    "escrow": "{} in escrow",
    "staged": "{} staged",
}

_DURATIONS = {"interval", "window", "logRetention"}
_DAY = 86400
_UNITS = ((_DAY, "d"), (3600, "h"), (60, "m"), (1, "s"))


NOT_EVALUATED = "Whom it touches was not evaluated (--no-impact)."


def total(plan: Plan) -> str:
    """Return the one line that sums a plan up, and says of what it knows nothing."""
    numbers = Counter(change.action for change in plan.changes)
    changes = ", ".join(f"{number} to {action}" for action, number in numbers.items())
    failed = ", ".join(each.job for each in plan.impacts if each.failed)
    said = changes or "no changes"
    return f"{said}; the next cycle of {failed} can't be evaluated" if failed else said


def counts_in_words(impact: JobImpact) -> str:
    return f"{'' if impact.enabled else 'if it were enabled: '}{_counts(impact)}"


def _counts(impact: JobImpact) -> str:
    if impact.counts is None:
        return f"unknown ({in_words(impact.unknown)})"
    numbers = msgspec.to_builtins(impact.counts)
    parts = [
        text.format(numbers[key]) for key, text in _PLANNED.items() if numbers[key]
    ]
    read, scope = impact.counts.read, impact.counts.in_scope
    # A cycle that reads changes only does not read all who are in scope.
    seen = f"{scope} of {read}" if read >= scope else f"{scope}"
    work = ", ".join(parts) or "nothing to do"
    requests = f"{impact.requests} requests{_at_least(impact.min_seconds)}"
    anew = "initial cycle, " if impact.cycle == "initial" else ""
    return f"{anew}{seen} objects in scope; {work}; {requests}"


def _at_least(seconds: float) -> str:
    """Return how long it lasts, rounded down, in the largest unit it fills twice."""
    if seconds < 1:
        return ""
    size, unit = next((each for each in _UNITS if seconds >= 2 * each[0]), _UNITS[-1])
    return f", at least {int(seconds / size)}{unit}"


def objection(impact: JobImpact) -> str:
    """Return what a guard of the job's says, before what it says it of."""
    return "BLOCKED" if impact.enabled else "It would be blocked"


def blocked_in_words(guard: Guard) -> str:
    earlier = guard.total - guard.effects
    others = f" besides {earlier} in its window" if earlier > 0 else ""
    when = "Once the others are allowed, " if guard.follows else ""
    return (
        f"{when}{guard.job} would cause {guard.effects} {guard.guard}{others}; "
        f"at most {guard.limit} may happen without being allowed."
    )


def items(field: FieldChange) -> tuple[list[str], list[str]] | None:
    """Return the entries that a list loses and gains; None where it is no such list."""
    before, after = field.before, field.after
    if has_order(field.path) or not isinstance(before or after, list):
        return None
    if not isinstance(before or [], list) or not isinstance(after or [], list):
        return None
    gone, new = gone_and_new(before or [], after or [])
    return [in_words(each) for each in gone], [in_words(each) for each in new]


def field_in_words(path: str, value: Any) -> str:
    """Return a field's value; a duration as the documents write it: `2m`."""
    if path.rsplit(".", 1)[-1] in _DURATIONS and isinstance(value, int):
        size, unit = next(each for each in _UNITS if _fits(value, each[0]))
        return f"{value // size}{unit}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return in_words(value)


def _fits(seconds: int, unit: int) -> bool:
    """Tell whether it is written in this unit. One day is written as 24h."""
    return seconds % unit == 0 and (unit, seconds) != (_DAY, _DAY)


def in_words(value: Any) -> str:
    """Return a text, or JSON; what terminals obey, or do not show, is spelt out."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return character.encode("unicode_escape").decode()
