"""The words that text, Markdown and HTML share: counts, guards, tables and diffs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

import msgspec

from cloudforest.base.values import Value, describe_value, format_count
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
"""The counts of a cycle, as its summary calls them."""

_PLANNED_COUNT_WORDS = {
    "create": ("", "to create"),
    "adopt": ("", "to adopt"),
    "update": ("", "to update"),
    "enable": ("", "to enable"),
    "disable": ("", "to disable"),
    "delete": ("", "to delete"),
    "memberAdd": ("membership", "to add"),
    "memberRemove": ("membership", "to remove"),
    "blank": ("value", "to clear"),
    "escrow": ("", "in escrow"),
    "staged": ("", "staged"),
}
"""What is counted, if not objects, and what would be done."""

_GUARD_NOUNS = {
    "attributesBlanked": "cleared value",
    "groupsEmptied": "emptied group",
    "memberRemovals": "membership removal",
}
"""What guards count; the others are called after it: `disables`, `deletes`."""

_OUTCOME_WORDS = {"disable": "disabled", "delete": "deleted"}

_DURATION_FIELDS = {"interval", "window", "logRetention"}
_DAY = 86400
_DURATION_UNITS = ((_DAY, "d"), (3600, "h"), (60, "m"), (1, "s"))

_WORD_PATTERN = re.compile(r"\w+|\s+|[^\w\s]")
_MIN_SIMILARITY = 0.5
"""Below this share of equal words, the two texts are shown as a whole."""

NOT_EVALUATED_NOTE = "The impact was not evaluated (--no-impact)."


def summarize_plan(plan: Plan) -> str:
    """Return the plan in one line, with the jobs whose impact is unknown."""
    numbers = Counter(change.action for change in plan.changes)
    changes = ", ".join(f"{number} to {action}" for action, number in numbers.items())
    failed = ", ".join(impact.job for impact in plan.impacts if impact.failed)
    unknown = f"; the next cycle of {failed} can't be evaluated" if failed else ""
    return f"{changes or 'no changes'}{unknown}"


def _format_min_duration(seconds: float) -> str:
    """Return the duration, rounded down, in the largest unit that it fills twice."""
    if seconds < 1:
        return ""
    size, unit = next(
        (each for each in _DURATION_UNITS if seconds >= 2 * each[0]),
        _DURATION_UNITS[-1],
    )
    return f", at least {int(seconds / size)} {'min' if unit == 'm' else unit}"


def _describe_counts(impact: JobImpact) -> str:
    if impact.counts is None:
        return f"unknown ({describe_value(impact.unknown)})"
    numbers = msgspec.to_builtins(impact.counts)
    parts = [
        f"{format_count(numbers[key], noun) if noun else numbers[key]} {verb}"
        for key, (noun, verb) in _PLANNED_COUNT_WORDS.items()
        if numbers[key]
    ]
    read, in_scope = impact.counts.read, impact.counts.in_scope
    # An incremental cycle reads only changes: fewer objects than are in scope.
    scope = (
        f"{in_scope} of {format_count(read, 'object')}"
        if read >= in_scope
        else format_count(in_scope, "object")
    )
    work = ", ".join(parts) or "nothing to do"
    requests = format_count(impact.requests, "request")
    duration = _format_min_duration(impact.min_seconds)
    initial = "initial cycle, " if impact.cycle == "initial" else ""
    return f"{initial}{scope} in scope; {work}; {requests}{duration}"


def describe_counts(impact: JobImpact) -> str:
    """Return what the next cycle would do; a disabled job as if it were enabled."""
    disabled = "" if impact.enabled else "disabled, previewed as if enabled; "
    return f"{disabled}{_describe_counts(impact)}"


def guard_label(impact: JobImpact) -> str:
    """Return what stands before `describe_guard`; a disabled job is not blocked."""
    return "Blocked" if impact.enabled else "Would be blocked"


def describe_guard(guard: GuardObjection) -> str:
    """Return why a guard blocks: the effects, the limit, and where that is set."""
    noun = _GUARD_NOUNS.get(guard.guard, guard.guard.removesuffix("s"))
    effects = format_count(guard.effects, noun)
    earlier = guard.total - guard.effects
    if earlier > 0:
        effects += f" + {earlier} earlier in the window"
    exceed = "exceeds" if guard.effects == 1 and earlier <= 0 else "exceed"
    after = "once the others are allowed, " if guard.follows else ""
    return (
        f"{after}{effects} {exceed} the limit of {guard.limit} "
        f"(guard.{guard.guard} of job {guard.job})."
    )


def _is_written_in(seconds: int, unit: int) -> bool:
    """Tell whether the YAML uses this unit for the duration. One day is `24h`."""
    return seconds % unit == 0 and (unit, seconds) != (_DAY, _DAY)


def compare_list_items(field: FieldChange) -> tuple[list[str], list[str]] | None:
    """Return the entries that an unordered list loses and gains; None for others."""
    before, after = field.before, field.after
    if has_order(field.path) or not isinstance(before or after, list):
        return None
    if not isinstance(before or [], list) or not isinstance(after or [], list):
        return None
    gone, new = compare_lists(before or [], after or [])
    return list(map(describe_value, gone)), list(map(describe_value, new))


def describe_field_value(path: str, value: Any) -> str:
    """Return the value of a field; a duration as in the YAML: `2m`."""
    if path.rsplit(".", 1)[-1] in _DURATION_FIELDS and isinstance(value, int):
        size, unit = next(
            each for each in _DURATION_UNITS if _is_written_in(value, each[0])
        )
        return f"{value // size}{unit}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return describe_value(value)


class ImpactTable(NamedTuple):
    """A title, the names of the columns, and rows with a cell for each column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _make_reason_table(title: str, counted: Iterable[ReasonCount]) -> ImpactTable:
    rows = tuple((f"{each.count:,}", each.reason) for each in counted)
    return ImpactTable(title, ("objects", "reason"), rows)


def _make_emptied_groups_rows(impact: JobImpact) -> tuple[tuple[str, ...], ...]:
    emptied = impact.breakdown.groups_emptied
    return ((f"{emptied:,}",),) if emptied else ()


def make_impact_tables(impact: JobImpact) -> Iterator[ImpactTable]:
    """Yield the tables with content, the one of people who lose access first."""
    breakdown = impact.breakdown
    tables = (
        ImpactTable(
            "Who loses access, by reason",
            ("objects", "type", "outcome", "reason"),
            tuple(
                (f"{each.count:,}", each.type, _OUTCOME_WORDS[each.action], each.reason)
                for each in breakdown.leavers
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
                for each in breakdown.attributes
            ),
        ),
        _make_reason_table("Held in escrow, by reason", breakdown.escrow_reasons),
        ImpactTable(
            "Samples by name",
            ("action", "name", "reason"),
            tuple((each.action, each.name, each.reason) for each in breakdown.samples),
        ),
    )
    for table in tables:
        if table.rows:
            rows = tuple(tuple(map(describe_value, row)) for row in table.rows)
            yield table._replace(rows=rows)


def select_shown_fields(change: Change) -> list[FieldChange]:
    """Return the fields without those that appear or disappear with their default.

    A new attribute mapping is then one line, not one for each option, and an omitted
    list is not shown as an empty one. The JSON of a plan has all fields.
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
"""Defaults by kind and by the first word of the path to the fields."""


class DiffPart(NamedTuple):
    kind: Literal["same", "gone", "new"]
    text: str


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


def diff_words(field: FieldChange) -> tuple[DiffPart, ...] | None:
    """Return a word diff of two texts; None if they have little in common."""
    before, after = field.before, field.after
    if not isinstance(before, str) or not isinstance(after, str):
        return None
    old, new = (_WORD_PATTERN.findall(describe_value(each)) for each in (before, after))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < _MIN_SIMILARITY:
        return None
    return tuple(_make_parts(matcher, old, new))
