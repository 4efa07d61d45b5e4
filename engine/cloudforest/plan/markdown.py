"""A plan as Markdown, for a comment on a pull request: whom it touches comes first."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Any

from cloudforest.plan.difference import Change, FieldChange
from cloudforest.plan.plan import JobImpact, Plan
from cloudforest.plan.wording import (
    NOT_EVALUATED,
    Table,
    blocked_in_words,
    counts_in_words,
    field_in_words,
    items,
    objection,
    tables,
    telling_fields,
    total,
)

LIMIT = 60_000
"""Bytes; the longest comment that the common forges take is a little more."""
_WIDTH = 4
"""Columns of the widest table."""
_ROOM = 400
"""For what says that the rest is cut, and for the last line."""


def render_markdown(plan: Plan) -> str:
    head, foot = list(_head(plan)), _foot(plan)
    shown, left = _fitting([*head, ""], LIMIT - _ROOM)
    parts = ["\n".join(shown)]
    touched = ["\n".join(_touched(impact)) for impact in plan.impacts]
    tabled, left = _fitting([each for each in touched if each], left)
    blocks = ["\n".join(_change(change)) for change in plan.changes]
    blocks, left = _fitting(blocks, left)
    parts += [*tabled, *blocks]
    cut = len(plan.changes) - len(blocks)
    if cut or len(shown) <= len(head) or len(tabled) < sum(map(bool, touched)):
        more = f" ({cut} changes)" if cut else ""
        parts.append(f"\n*The rest is cut{more}; `cloudforest plan` shows all of it.*")
    return "\n".join([*parts, foot]) + "\n"


def _fitting(blocks: list[str], left: int) -> tuple[list[str], int]:
    """Return the first blocks that fit, whole, and the bytes that are left then.

    Half a block would leave a fence or a tag open, and all after it unreadable.
    """
    fitting = []
    for block in blocks:
        size = len(block.encode()) + 1
        if size > left:
            break
        fitting.append(block)
        left -= size
    return fitting, left


def _head(plan: Plan) -> Iterator[str]:
    blocked = "BLOCKED by a guard; " if plan.blocked else ""
    yield f"### cloudforest plan: {blocked}{total(plan)}"
    yield ""
    if not plan.evaluated:
        yield f"- {NOT_EVALUATED}"
    for impact in plan.impacts:
        yield from _impact(impact)
    for consequence in plan.consequences:
        yield f"- {_prose(consequence.sentence)}"
    for warning in plan.warnings:
        yield f"- **Warning**: {_prose(warning)}"


def _prose(text: str) -> str:
    """Return it as one line without HTML, which could hide what follows."""
    return escape(" ".join(text.split()), quote=False)


def _foot(plan: Plan) -> str:
    return f"\n<sub>digest `{plan.digest}`, against revision {plan.base}</sub>"


def _impact(impact: JobImpact) -> Iterator[str]:
    yield f"- **{impact.job}**: {_prose(counts_in_words(impact))}"
    for guard in impact.guards:
        yield f"  - **{objection(impact)}**: {blocked_in_words(guard)}"
        if guard.allow:
            yield f"    To let them happen: `{guard.allow}`"


def _touched(impact: JobImpact) -> Iterator[str]:
    """Yield the tables in HTML: names and clauses are no Markdown to be read."""
    found = list(tables(impact))
    if found:
        job = escape(impact.job)
        yield f"\n<details><summary>Whom <b>{job}</b> touches</summary>\n<table>"
        for table in found:
            yield from _table(table)
        yield "</table>\n</details>"


def _table(table: Table) -> Iterator[str]:
    """Yield a table without a blank line, which would end the HTML."""
    yield f'<tr><th colspan="{_WIDTH}" align="left">{escape(table.title)}</th></tr>'
    for row in (table.columns, *table.rows):
        cells = (escape(" ".join(cell.split())) for cell in row)
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _change(change: Change) -> Iterator[str]:
    yield f"\n<details><summary><code>{escape(str(change))}</code></summary>\n"
    lines = [line for field in telling_fields(change) for line in _field(field)]
    fence = "`" * max(3, 1 + _longest_run("`", lines))
    yield from (f"{fence}diff", *lines, fence, "</details>")


def _field(field: FieldChange) -> Iterator[str]:
    lists = items(field)
    if lists is not None:
        gone, new = lists
        yield from (f"- {field.path}: {each}" for each in gone)
        yield from (f"+ {field.path}: {each}" for each in new)
        return
    if field.before is not None:
        yield from _lines("-", field.path, field.before)
    if field.after is not None:
        yield from _lines("+", field.path, field.after)


def _lines(sign: str, path: str, value: Any) -> Iterator[str]:
    """Give each line of a text the sign: without one it would seem unchanged."""
    first, *others = field_in_words(path, value).splitlines() or [""]
    yield f"{sign} {path}: {first}"
    yield from (f"{sign}   {line}" for line in others)


def _longest_run(character: str, lines: list[str]) -> int:
    """Return the length of the longest run of a character in these lines."""
    runs = (
        len("".join(run))
        for line in lines
        for same, run in groupby(line)
        if same == character
    )
    return max(runs, default=0)
