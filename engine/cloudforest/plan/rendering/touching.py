"""Whom the next cycle of a job touches, as the tables that all renderings share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cloudforest.model.provisioning import ReasonCount
from cloudforest.plan.plan import JobImpact
from cloudforest.plan.rendering.wording import in_words


class Table(NamedTuple):
    """A title, the names of the columns, and rows of as many cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(impact: JobImpact) -> Iterator[Table]:
    """Yield what there is to say besides the counts: those who lose access first."""
    touched = impact.breakdown
    found = (
        Table(
            "Who loses access, by reason",
            ("objects", "type", "what becomes of them", "reason"),
            tuple(
                (f"{each.count:,}", each.type, _BECOMES[each.action], each.reason)
                for each in touched.leavers
            ),
        ),
        Table("Groups left without a member", ("groups",), _number(impact)),
        Table(
            "Values by attribute",
            ("type", "attribute", "set", "cleared"),
            tuple(
                (each.type, each.attribute, f"{each.set:,}", f"{each.cleared:,}")
                for each in touched.attributes
            ),
        ),
        _reasons("Held back in escrow, by reason", touched.escrow_reasons),
        Table(
            "Some of them by name",
            ("action", "name", "reason"),
            tuple((each.action, each.name, each.reason) for each in touched.samples),
        ),
    )
    for each in found:
        if each.rows:
            rows = tuple(tuple(map(in_words, row)) for row in each.rows)
            yield each._replace(rows=rows)


_BECOMES = {"disable": "disabled", "delete": "deleted"}


def _reasons(title: str, counted: Iterable[ReasonCount]) -> Table:
    rows = tuple((f"{each.count:,}", each.reason) for each in counted)
    return Table(title, ("objects", "reason"), rows)


def _number(impact: JobImpact) -> tuple[tuple[str, ...], ...]:
    emptied = impact.breakdown.groups_emptied
    return ((f"{emptied:,}",),) if emptied else ()
