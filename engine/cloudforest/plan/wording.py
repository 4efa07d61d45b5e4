"""The words that all renderings of a plan share.

Whom the next cycle of a job touches, as the tables that all renderings share.

What of a change a reader is shown: no defaults that come and go with an entry.

What differs within a text: an expression or a filter, word by word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

import msgspec

from cloudforest.base.values import Value
from cloudforest.model.cycles import ReasonCount
from cloudforest.model.registration import AttributeMapping, Budget, Job, Profile, Scope
from cloudforest.plan.difference import Change, FieldChange, compare_lists, has_order
from cloudforest.plan.plan import GuardObjection, JobImpact, Plan

COUNT_WORDS = {
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

_PLANNED_COUNT_FORMATS = {
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

_DURATION_FIELDS = {"interval", "window", "logRetention"}
_DAY = 86400
_DURATION_UNITS = ((_DAY, "d"), (3600, "h"), (60, "m"), (1, "s"))


NOT_EVALUATED_NOTE = "Whom it touches was not evaluated (--no-impact)."


def summarize_plan(plan: Plan) -> str:
    """Return the one line that sums a plan up, and says of what it knows nothing."""
    numbers = Counter(change.action for change in plan.changes)
    changes = ", ".join(f"{number} to {action}" for action, number in numbers.items())
    failed = ", ".join(each.job for each in plan.impacts if each.failed)
    said = changes or "no changes"
    return f"{said}; the next cycle of {failed} can't be evaluated" if failed else said


def describe_counts(impact: JobImpact) -> str:
    return (
        f"{'' if impact.enabled else 'if it were enabled: '}{_describe_counts(impact)}"
    )


def _describe_counts(impact: JobImpact) -> str:
    if impact.counts is None:
        return f"unknown ({describe_value(impact.unknown)})"
    numbers = msgspec.to_builtins(impact.counts)
    parts = [
        text.format(numbers[key])
        for key, text in _PLANNED_COUNT_FORMATS.items()
        if numbers[key]
    ]
    read, scope = impact.counts.read, impact.counts.in_scope
    # A cycle that reads changes only does not read all who are in scope.
    seen = f"{scope} of {read}" if read >= scope else f"{scope}"
    work = ", ".join(parts) or "nothing to do"
    requests = f"{impact.requests} requests{_format_min_duration(impact.min_seconds)}"
    anew = "initial cycle, " if impact.cycle == "initial" else ""
    return f"{anew}{seen} objects in scope; {work}; {requests}"


def _format_min_duration(seconds: float) -> str:
    """Return how long it lasts, rounded down, in the largest unit it fills twice."""
    if seconds < 1:
        return ""
    size, unit = next(
        (each for each in _DURATION_UNITS if seconds >= 2 * each[0]),
        _DURATION_UNITS[-1],
    )
    return f", at least {int(seconds / size)}{unit}"


def guard_label(impact: JobImpact) -> str:
    """Return what a guard of the job's says, before what it says it of."""
    return "BLOCKED" if impact.enabled else "It would be blocked"


def describe_guard(guard: GuardObjection) -> str:
    earlier = guard.total - guard.effects
    others = f" besides {earlier} in its window" if earlier > 0 else ""
    when = "Once the others are allowed, " if guard.follows else ""
    return (
        f"{when}{guard.job} would cause {guard.effects} {guard.guard}{others}; "
        f"at most {guard.limit} may happen without being allowed."
    )


def compare_list_items(field: FieldChange) -> tuple[list[str], list[str]] | None:
    """Return the entries that a list loses and gains; None where it is no such list."""
    before, after = field.before, field.after
    if has_order(field.path) or not isinstance(before or after, list):
        return None
    if not isinstance(before or [], list) or not isinstance(after or [], list):
        return None
    gone, new = compare_lists(before or [], after or [])
    return [describe_value(each) for each in gone], [
        describe_value(each) for each in new
    ]


def describe_field_value(path: str, value: Any) -> str:
    """Return a field's value; a duration as the documents write it: `2m`."""
    if path.rsplit(".", 1)[-1] in _DURATION_FIELDS and isinstance(value, int):
        size, unit = next(
            each for each in _DURATION_UNITS if _is_written_in(value, each[0])
        )
        return f"{value // size}{unit}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return describe_value(value)


def _is_written_in(seconds: int, unit: int) -> bool:
    """Tell whether it is written in this unit. One day is written as 24h."""
    return seconds % unit == 0 and (unit, seconds) != (_DAY, _DAY)


def describe_value(value: Any) -> str:
    """Return a text, or JSON; what terminals obey, or do not show, is spelt out."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if text.isprintable() else "".join(map(_escape_character, text))


def _escape_character(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return character.encode("unicode_escape").decode()


class ImpactTable(NamedTuple):
    """A title, the names of the columns, and rows of as many cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def make_impact_tables(impact: JobImpact) -> Iterator[ImpactTable]:
    """Yield what there is to say besides the counts: those who lose access first."""
    touched = impact.breakdown
    found = (
        ImpactTable(
            "Who loses access, by reason",
            ("objects", "type", "what becomes of them", "reason"),
            tuple(
                (f"{each.count:,}", each.type, _OUTCOME_WORDS[each.action], each.reason)
                for each in touched.leavers
            ),
        ),
        ImpactTable(
            "Groups left without a member",
            ("groups",),
            _make_emptied_groups_rows(impact),
        ),
        ImpactTable(
            "Values by attribute",
            ("type", "attribute", "set", "cleared"),
            tuple(
                (each.type, each.attribute, f"{each.set:,}", f"{each.cleared:,}")
                for each in touched.attributes
            ),
        ),
        _make_reason_table("Held back in escrow, by reason", touched.escrow_reasons),
        ImpactTable(
            "Some of them by name",
            ("action", "name", "reason"),
            tuple((each.action, each.name, each.reason) for each in touched.samples),
        ),
    )
    for each in found:
        if each.rows:
            rows = tuple(tuple(map(describe_value, row)) for row in each.rows)
            yield each._replace(rows=rows)


_OUTCOME_WORDS = {"disable": "disabled", "delete": "deleted"}


def _make_reason_table(title: str, counted: Iterable[ReasonCount]) -> ImpactTable:
    rows = tuple((f"{each.count:,}", each.reason) for each in counted)
    return ImpactTable(title, ("objects", "reason"), rows)


def _make_emptied_groups_rows(impact: JobImpact) -> tuple[tuple[str, ...], ...]:
    emptied = impact.breakdown.groups_emptied
    return ((f"{emptied:,}",),) if emptied else ()


def select_shown_fields(change: Change) -> list[FieldChange]:
    """Return the fields without those that only come, or only go, with their default.

    An attribute that is mapped now is one line then, not one for each of its options,
    and a list that is left out is not shown as an empty one.
    The JSON of a plan has them all.
    """
    return [each for each in change.fields if not _is_default(change.kind, each)]


def _is_default(kind: str, field: FieldChange) -> bool:
    values = [each for each in (field.before, field.after) if each is not None]
    place, _, name = field.path.rpartition(".")
    defaults = _DEFAULTS.get((kind, place.partition(".")[0]), {})
    return len(values) == 1 and values[0] in ([], {}, defaults.get(name))


def _read_defaults(noun: type[Value]) -> dict[str, Any]:
    fields = msgspec.structs.fields(noun)
    return {each.encode_name: each.default for each in fields if not each.required}


_DEFAULTS = {
    ("Target", "profile"): _read_defaults(Profile),
    ("Scope", ""): _read_defaults(Scope),
    ("Mapping", "attributeMappings"): _read_defaults(AttributeMapping),
    ("Job", ""): _read_defaults(Job),
    ("Job", "guard"): _read_defaults(Budget),
}
"""By kind, and by the first word of the place that fields stand in."""


_WORD_PATTERN = re.compile(r"\w+|\s+|[^\w\s]")
_MIN_SIMILARITY = 0.5
"""Below this share of equal words, two whole texts are easier to read."""


class DiffPart(NamedTuple):
    kind: Literal["same", "gone", "new"]
    text: str


def diff_words(field: FieldChange) -> tuple[DiffPart, ...] | None:
    """Return the two texts of a field as one; None where they have little in common."""
    before, after = field.before, field.after
    if not isinstance(before, str) or not isinstance(after, str):
        return None
    old, new = (_WORD_PATTERN.findall(describe_value(each)) for each in (before, after))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < _MIN_SIMILARITY:
        return None
    return tuple(_make_parts(matcher, old, new))


def _make_parts(
    matcher: SequenceMatcher[str], old: list[str], new: list[str]
) -> Iterator[DiffPart]:
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            yield DiffPart("same", "".join(old[a:b]))
            continue
        if b > a:
            yield DiffPart("gone", "".join(old[a:b]))
        if d > c:
            yield DiffPart("new", "".join(new[c:d]))
