"""A plan on the terminal: by kind, each field from old to new, then whom it touches."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from msgspec.structs import replace
from rich.text import Text

from cloudforest.front.state import with_state
from cloudforest.front.terminal import command, heading, out, suggest
from cloudforest.plan.change import KINDS, Change, FieldChange
from cloudforest.plan.plan import JobImpact, Plan
from cloudforest.plan.rendering.telling import telling_fields
from cloudforest.plan.rendering.textdiff import Run, word_diff
from cloudforest.plan.rendering.touching import tables
from cloudforest.plan.rendering.wording import (
    NOT_EVALUATED,
    blocked_in_words,
    counts_in_words,
    field_in_words,
    items,
    objection,
    total,
)

_STYLES = {"create": "green", "update": "yellow", "rename": "cyan", "delete": "red"}
_MARKS = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
"""Those of `git diff --word-diff`, which are there without colours too."""
_RUN_STYLES = {"same": "", "gone": "red", "new": "green"}
_NOTHING = "(nothing)"
_WIDE = 3
"""Tables of so many columns say what these are."""


def show_plan(plan: Plan, state: Path | None = None) -> None:
    by_kind = sorted(plan.changes, key=lambda each: KINDS.index(each.kind))
    for kind, changes in groupby(by_kind, key=lambda each: each.kind):
        heading(kind)
        for change in changes:
            _show_change(change)
    if plan.changes:
        out.print()
    _show_outcome(plan, state)


def _show_outcome(plan: Plan, state: Path | None) -> None:
    out.print(f"Plan: {total(plan)} (against revision {plan.base}).", style="bold")
    if not plan.evaluated:
        out.print(f"  {NOT_EVALUATED}", markup=False)
    for impact in plan.impacts:
        told = f"  {impact.job}: {counts_in_words(impact)}"
        out.print(told, markup=False, soft_wrap=True)
        _show_touched(impact)
    for consequence in plan.consequences:
        out.print(f"  {consequence.sentence}", markup=False, soft_wrap=True)
    for warning in plan.warnings:
        out.print(f"  Warning: {warning}", style="yellow", markup=False, soft_wrap=True)
    for impact in plan.impacts:
        _show_guards(impact, state)


def _show_guards(impact: JobImpact, state: Path | None) -> None:
    for guard in impact.guards:
        sentence = f"  {objection(impact)}: {blocked_in_words(guard)}"
        out.print(sentence, style="bold red", markup=False, soft_wrap=True)
        if guard.allow:
            suggest(command(guard.allow, state), "to let them happen")


def _show_touched(impact: JobImpact) -> None:
    """Show each table under its title, the columns in line, however long the lines."""
    for table in tables(impact):
        out.print(f"    {table.title}:", markup=False)
        rows = (
            table.rows if len(table.columns) < _WIDE else (table.columns, *table.rows)
        )
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        for row in rows:
            cells = map(str.ljust, row, widths)
            out.print(Text("      " + "  ".join(cells).rstrip()), soft_wrap=True)


def _show_change(change: Change) -> None:
    out.print(Text(f"{change}", style=_STYLES[change.action]))
    if change.action in {"update", "rename"}:
        for field in telling_fields(change):
            _show_field(field)


def _show_field(field: FieldChange) -> None:
    lists, runs = items(field), word_diff(field)
    if lists is not None:
        gone, new = lists
        lines = [Text(f"- {each}", "red") for each in gone]
        lines += [Text(f"+ {each}", "green") for each in new]
        out.print(f"    {field.path}:", markup=False)
        for line in lines:
            out.print(Text("      ") + line, soft_wrap=True)
    elif runs is not None:
        text = Text.assemble(*map(_marked, runs))
        out.print(Text(f"    {field.path}: ") + text, soft_wrap=True)
    else:
        before, after = (
            _NOTHING if value is None else field_in_words(field.path, value)
            for value in (field.before, field.after)
        )
        out.print(f"    {field.path}: {before} → {after}", markup=False, soft_wrap=True)


def _marked(run: Run) -> tuple[str, str]:
    return _MARKS[run.kind].format(run.text), _RUN_STYLES[run.kind]


def on_state(plan: Plan, state: Path | None) -> Plan:
    """Return the plan with commands that work on this state, for all other formats."""
    return replace(plan, impacts=tuple(_on_state(each, state) for each in plan.impacts))


def _on_state(impact: JobImpact, state: Path | None) -> JobImpact:
    guards = tuple(
        replace(each, allow=with_state(each.allow, state)) if each.allow else each
        for each in impact.guards
    )
    return replace(impact, guards=guards)
