"""A plan as Markdown, for a comment on a pull request: whom it touches comes first."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.plan.change import Change, FieldChange
from cloudforest.plan.plan import JobImpact, Plan
from cloudforest.plan.wording import (
    blocked_in_words,
    counts_in_words,
    in_words,
    total,
)

LIMIT = 60_000
"""Bytes; the longest comment that the common forges take is a little more."""


def render_markdown(plan: Plan) -> str:
    lines: list[str] = []
    size = 0
    for line in _lines(plan):
        size += len(line.encode()) + 1
        if size > LIMIT:
            lines.append("\n*The rest is cut; see `cloudforest plan` for all of it.*")
            break
        lines.append(line)
    return "\n".join(lines) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    title = "BLOCKED by a guard" if plan.blocked else total(plan)
    yield f"### cloudforest plan: {title}"
    yield ""
    for impact in plan.impacts:
        yield from _impact(impact)
    for consequence in plan.consequences:
        yield f"- {consequence.sentence}"
    for warning in plan.warnings:
        yield f"- **Warning**: {warning}"
    for change in plan.changes:
        yield from _change(change)
    yield f"\n<sub>digest `{plan.digest}`, against revision {plan.base}</sub>"


def _impact(impact: JobImpact) -> Iterator[str]:
    yield f"- **{impact.job}**: {counts_in_words(impact)}"
    for guard in impact.guards:
        yield f"  - **BLOCKED**: {blocked_in_words(guard)}"
        if guard.allow:
            yield f"    To let them happen: `{guard.allow}`"


def _change(change: Change) -> Iterator[str]:
    yield f"\n<details><summary><code>{change}</code></summary>\n\n```diff"
    for field in change.fields:
        yield from _field(field)
    yield "```\n</details>"


def _field(field: FieldChange) -> Iterator[str]:
    if field.before is not None:
        yield f"- {field.path}: {in_words(field.before)}"
    if field.after is not None:
        yield f"+ {field.path}: {in_words(field.after)}"
