"""Renders a plan as Markdown for a comment on a pull request, the impact first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from itertools import chain
from typing import Any

from cloudforest.base.values import format_count
from cloudforest.plan.difference import Change, FieldChange
from cloudforest.plan.plan import JobImpact, Plan
from cloudforest.plan.wording import (
    NOT_EVALUATED_NOTE,
    ImpactTable,
    compare_list_items,
    describe_counts,
    describe_field_value,
    describe_guard,
    guard_label,
    make_impact_tables,
    select_shown_fields,
    summarize_plan,
)

MAX_COMMENT_BYTES = 60_000
"""In bytes; GitHub and GitLab accept a little more."""
_TABLE_COLUMNS = 4
"""The number of columns of the widest table."""
_RESERVED_BYTES = 400
"""In bytes; room for the note that the rest is cut, and for the last line."""


def _select_fitting(blocks: list[str], room: int) -> tuple[list[str], int]:
    """Return the first blocks that fit as a whole, and the bytes that remain.

    Half a block would leave a fence or a tag open and make the rest unreadable.
    """
    fitting: list[str] = []
    for block in blocks:
        size = len(block.encode()) + 1
        if size > room:
            break
        fitting.append(block)
        room -= size
    return fitting, room


def _escape_prose(text: str) -> str:
    """Return the text on one line without HTML, which could hide what follows."""
    return escape(" ".join(text.split()), quote=False)


def _render_impact(impact: JobImpact) -> Iterator[str]:
    yield f"- **{impact.job}**: {_escape_prose(describe_counts(impact))}"
    for guard in impact.guards:
        yield f"  - **{guard_label(impact)}**: {describe_guard(guard)}"
        if guard.allow:
            yield f"    Allow them with `{guard.allow}`."


def _render_head(plan: Plan) -> Iterator[str]:
    blocked = "blocked by a guard; " if plan.blocked else ""
    yield f"### cloudforest plan: {blocked}{summarize_plan(plan)}"
    yield ""
    if not plan.evaluated:
        yield f"- {NOT_EVALUATED_NOTE}"
    for impact in plan.impacts:
        yield from _render_impact(impact)
    for consequence in plan.consequences:
        yield f"- {_escape_prose(consequence.sentence)}"
    for warning in plan.warnings:
        yield f"- **Warning**: {_escape_prose(warning)}"


def _render_table(table: ImpactTable) -> Iterator[str]:
    """Yield a table without blank lines, which would end the HTML."""
    yield (
        f'<tr><th colspan="{_TABLE_COLUMNS}" '
        f'align="left">{escape(table.title)}</th></tr>'
    )
    for row in (table.columns, *table.rows):
        cells = (escape(" ".join(cell.split())) for cell in row)
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _render_impact_tables(impact: JobImpact) -> Iterator[str]:
    """Yield the tables as HTML, so that names and clauses are not read as Markdown."""
    tables = list(make_impact_tables(impact))
    if tables:
        job = escape(impact.job)
        yield f"\n<details><summary>Impact of <b>{job}</b></summary>\n<table>"
        for table in tables:
            yield from _render_table(table)
        yield "</table>\n</details>"


def _render_value(sign: str, path: str, value: Any) -> Iterator[str]:
    """Put the sign before each line; a line without one would look unchanged."""
    first, *others = describe_field_value(path, value).splitlines() or [""]
    yield f"{sign} {path}: {first}"
    yield from (f"{sign}   {line}" for line in others)


def _render_field(field: FieldChange) -> Iterator[str]:
    lists = compare_list_items(field)
    if lists is not None:
        gone, new = lists
        yield from (f"- {field.path}: {entry}" for entry in gone)
        yield from (f"+ {field.path}: {entry}" for entry in new)
        return
    if field.before is not None:
        yield from _render_value("-", field.path, field.before)
    if field.after is not None:
        yield from _render_value("+", field.path, field.after)


def _render_change(change: Change) -> Iterator[str]:
    yield f"\n<details><summary><code>{escape(str(change))}</code></summary>\n"
    lines = list(chain(*map(_render_field, select_shown_fields(change))))
    # A fence is longer than any run of backticks inside.
    runs = re.findall("`+", "\n".join(lines))
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    yield from (f"{fence}diff", *lines, fence, "</details>")


def render_markdown(plan: Plan) -> str:
    head = list(_render_head(plan))
    shown, room = _select_fitting([*head, ""], MAX_COMMENT_BYTES - _RESERVED_BYTES)
    parts = ["\n".join(shown)]
    impacts = ["\n".join(_render_impact_tables(impact)) for impact in plan.impacts]
    impacts = [text for text in impacts if text]
    shown_impacts, room = _select_fitting(impacts, room)
    changes = ["\n".join(_render_change(change)) for change in plan.changes]
    shown_changes, _ = _select_fitting(changes, room)
    parts += [*shown_impacts, *shown_changes]
    cut = len(changes) - len(shown_changes)
    if cut or len(shown) <= len(head) or len(shown_impacts) < len(impacts):
        left_out = f" ({format_count(cut, 'change')} left out)" if cut else ""
        parts.append(
            f"\n*This comment is cut{left_out}. Run `cloudforest plan` to see all.*"
        )
    parts.append(f"\n<sub>Digest `{plan.digest}`, against revision {plan.base}</sub>\n")
    return "\n".join(parts)
