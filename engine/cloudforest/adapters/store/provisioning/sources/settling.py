"""Settled rows: those that needed nothing when they were last evaluated."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select, update

from cloudforest.adapters.store.provisioning.part import slices
from cloudforest.adapters.store.tables import reference, source


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


def unsettle_referrers(
    connection: Connection, ids: Iterable[str], *, cycle: str
) -> None:
    """Have those evaluated again that refer to objects linked anew, or no longer."""
    named = [
        guid
        for some in slices(ids)
        for guid in connection.execute(
            select(reference.c.guid).where(reference.c.to_guid.in_(some)).distinct()
        ).scalars()
    ]
    unsettle(connection, named, cycle=cycle)
