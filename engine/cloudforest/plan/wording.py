"""The words that text, Markdown and HTML share: counts, guards, tables and diffs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Literal, NamedTuple

import msgspec

from cloudforest.base.values import Value, describe_value, format_count
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
    unknown = f"; the next cycle of {failed} cannot be evaluated" if failed else ""
    return f"{changes or 'no changes'}{unknown}"


def _format_min_duration(seconds: float) -> str:
    """Return the duration, rounded down, in the largest unit that it fills twice."""
    if seconds < 1:
        return ""
    fitting = (each for each in _DURATION_UNITS if seconds >= 2 * each[0])
    size, unit = next(fitting, _DURATION_UNITS[-1])
    return f", at least {int(seconds / size)} {'min' if unit == 'm' else unit}"


def describe_counts(impact: JobImpact) -> str:
    """Return what the next cycle would do; a disabled job as if it were enabled."""
    disabled = "" if impact.enabled else "disabled, previewed as if enabled; "
    if impact.counts is None:
        return f"{disabled}unknown ({describe_value(impact.unknown)})"
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
    return f"{disabled}{initial}{scope} in scope; {work}; {requests}{duration}"


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


def compare_list_items(field: FieldChange) -> tuple[list[str], list[str]] | None:
    """Return the entries that an unordered list loses and gains; None for others."""
    before, after = field.before or [], field.after or []
    lists = isinstance(before, list) and isinstance(after, list)
    if not lists or not (before or after) or has_order(field.path):
        return None
    gone, new = compare_lists(before, after)
    return list(map(describe_value, gone)), list(map(describe_value, new))


def describe_field_value(path: str, value: Any) -> str:
    """Return the value of a field; a duration as in the YAML: `2m`."""
    if path.rsplit(".", 1)[-1] in _DURATION_FIELDS and isinstance(value, int):
        # One day is `24h` in the YAML.
        units = _DURATION_UNITS[1:] if value == _DAY else _DURATION_UNITS
        size, unit = next(each for each in units if value % each[0] == 0)
        return f"{value // size}{unit}"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return describe_value(value)


class ImpactTable(NamedTuple):
    """A title, the names of the columns, and rows with a cell for each column."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, ...]]


def make_impact_tables(impact: JobImpact) -> Iterator[ImpactTable]:
    """Yield the tables with content, the one of people who lose access first."""
    found = impact.breakdown
    emptied = [found.groups_emptied] if found.groups_emptied else []
    rows: dict[tuple[str, ...], list[tuple[str, ...]]] = {
        ("Who loses access, by reason", "objects", "type", "outcome", "reason"): [
            (f"{each.count:,}", each.type, _OUTCOME_WORDS[each.action], each.reason)
            for each in found.leavers
        ],
        ("Groups left without a member", "groups"): [(f"{n:,}",) for n in emptied],
        ("Values by attribute", "type", "attribute", "set", "cleared"): [
            (each.type, each.attribute, f"{each.set:,}", f"{each.cleared:,}")
            for each in found.attributes
        ],
        ("Held in escrow, by reason", "objects", "reason"): [
            (f"{each.count:,}", each.reason) for each in found.escrow_reasons
        ],
        ("Samples by name", "action", "name", "reason"): [
            (each.action, each.name, each.reason) for each in found.samples
        ],
    }
    for (title, *columns), lines in rows.items():
        if lines:
            shown = [tuple(map(describe_value, line)) for line in lines]
            yield ImpactTable(title, columns, shown)


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


def _is_default(kind: str, field: FieldChange) -> bool:
    values = [each for each in (field.before, field.after) if each is not None]
    place, _, name = field.path.rpartition(".")
    defaults = _DEFAULTS.get((kind, place.partition(".")[0]), {})
    return len(values) == 1 and values[0] in ([], {}, defaults.get(name))


def select_shown_fields(change: Change) -> list[FieldChange]:
    """Return the fields without those that appear or disappear with their default.

    A new attribute mapping is then one line, not one for each option, and an omitted
    list is not shown as an empty one. The JSON of a plan has all fields.
    """
    return [each for each in change.fields if not _is_default(change.kind, each)]


class DiffPart(NamedTuple):
    kind: Literal["same", "gone", "new"]
    text: str


def diff_words(field: FieldChange) -> list[DiffPart] | None:
    """Return a word diff of two texts; None if they have little in common."""
    before, after = field.before, field.after
    if not isinstance(before, str) or not isinstance(after, str):
        return None
    old, new = (_WORD_PATTERN.findall(describe_value(each)) for each in (before, after))
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < _MIN_SIMILARITY:
        return None
    parts: list[DiffPart] = []
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            parts.append(DiffPart("same", "".join(old[a:b])))
            continue
        if b > a:
            parts.append(DiffPart("gone", "".join(old[a:b])))
        if d > c:
            parts.append(DiffPart("new", "".join(new[c:d])))
    return parts
