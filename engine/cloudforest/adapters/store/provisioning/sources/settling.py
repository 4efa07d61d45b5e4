"""Settled rows: those that needed nothing when they were last evaluated."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select, update

from cloudforest.adapters.store.provisioning.part import slices
from cloudforest.adapters.store.tables import reference, source
from cloudforest.model.provisioning import Outcome

LINKING = frozenset({"create", "adopt", "delete"})
"""The actions that make a link, or end it."""


def unsettle(
    connection: Connection, ids: Iterable[str], *, cycle: str | None = None
) -> None:
    """Have the objects evaluated again, by every job.

    Those that `cycle` has evaluated, and is about to write, are left to it.
    """
    for some in slices(ids):
        connection.execute(
            update(source)
            .where(source.c.guid.in_(some), source.c.settled != (cycle or ""))
            .values(settled=None)
        )


def referrers(connection: Connection, ids: Iterable[str]) -> list[str]:
    return [
        guid
        for some in slices(ids)
        for guid in connection.execute(
            select(reference.c.guid).where(reference.c.to_guid.in_(some)).distinct()
        ).scalars()
    ]


def unsettle_written(
    connection: Connection, cycle: str, outcomes: Iterable[Outcome]
) -> None:
    """Have others look again at what a cycle wrote, and at those who refer to it."""
    done = [each for each in outcomes if each.state == "done"]
    changed = [each.effect.id for each in done if each.effect.action in LINKING]
    written = [each.effect.id for each in done if each.link is not None]
    ids = [*written, *changed, *referrers(connection, changed)]
    unsettle(connection, ids, cycle=cycle)
