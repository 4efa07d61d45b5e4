"""The text of a plan, for the terminal."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from rich.text import Text

from cloudforest.cli.terminal import out_console, print_heading, print_line, suggest
from cloudforest.plan.difference import KIND_ORDER, Change, FieldChange
from cloudforest.plan.plan import JobImpact, Plan
from cloudforest.plan.wording import (
    NOT_EVALUATED_NOTE,
    compare_list_items,
    describe_counts,
    describe_field_value,
    describe_guard,
    diff_words,
    guard_label,
    make_impact_tables,
    select_shown_fields,
    summarize_plan,
)

_ACTION_STYLES = {
    "create": "green",
    "update": "yellow",
    "rename": "cyan",
    "delete": "red",
}
_DIFF_MARKS = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
"""As in `git diff --word-diff`; readable without colours."""
_DIFF_STYLES = {"same": "", "gone": "red", "new": "green"}
_ABSENT = "(nothing)"
_WIDE_TABLE_COLUMNS = 3
"""Tables with at least so many columns get a header."""


def show_plan(plan: Plan, state: Path | None = None) -> None:
    by_kind = sorted(plan.changes, key=lambda each: KIND_ORDER.index(each.kind))
    for kind, changes in groupby(by_kind, key=lambda each: each.kind):
        print_heading(kind)
        for change in changes:
            _show_change(change)
    if plan.changes:
        out_console.print()
    _show_outcome(plan, state)


def _show_outcome(plan: Plan, state: Path | None) -> None:
    out_console.print(
        f"Plan: {summarize_plan(plan)} (against revision {plan.base}).", style="bold"
    )
    if not plan.evaluated:
        _print(f"  {NOT_EVALUATED_NOTE}")
    for impact in plan.impacts:
        _print(f"  {impact.job}: {describe_counts(impact)}")
        _show_impact_tables(impact)
    for consequence in plan.consequences:
        _print(f"  {consequence.sentence}")
    for warning in plan.warnings:
        _print(f"  Warning: {warning}", "yellow")
    for impact in plan.impacts:
        for guard in impact.guards:
            _print(f"  {guard_label(impact)}: {describe_guard(guard)}", "bold red")
            if guard.allow:
                suggest(guard.allow, "allow them", state)


def _print(line: str, style: str = "") -> None:
    print_line(Text(line, style))


def _show_impact_tables(impact: JobImpact) -> None:
    """Show each table under its title, with aligned columns and unbroken lines."""
    for table in make_impact_tables(impact):
        _print(f"    {table.title}:")
        is_wide = len(table.columns) >= _WIDE_TABLE_COLUMNS
        rows = (table.columns, *table.rows) if is_wide else table.rows
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        for row in rows:
            cells = map(str.ljust, row, widths)
            _print("      " + "  ".join(cells).rstrip())


def _show_change(change: Change) -> None:
    out_console.print(Text(f"{change}", style=_ACTION_STYLES[change.action]))
    if change.action in {"update", "rename"}:
        for field in select_shown_fields(change):
            _show_field(field)


def _show_field(field: FieldChange) -> None:
    lists, runs = compare_list_items(field), diff_words(field)
    if lists is not None:
        gone, new = lists
        lines = [(f"- {each}", "red") for each in gone]
        lines += [(f"+ {each}", "green") for each in new]
        _print(f"    {field.path}:")
        for line in lines:
            print_line(Text.assemble("      ", line))
    elif runs is not None:
        parts = [
            (_DIFF_MARKS[each.kind].format(each.text), _DIFF_STYLES[each.kind])
            for each in runs
        ]
        print_line(Text.assemble(f"    {field.path}: ", *parts))
    else:
        before, after = (
            _ABSENT if value is None else describe_field_value(field.path, value)
            for value in (field.before, field.after)
        )
        _print(f"    {field.path}: {before} → {after}")
