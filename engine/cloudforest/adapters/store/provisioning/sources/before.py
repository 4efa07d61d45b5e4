"""What the rows of a page were before it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from cloudforest.adapters.store.provisioning.part import slices
from cloudforest.adapters.store.tables import source


@dataclass(frozen=True)
class Before:
    """What a row was before a page."""

    state: str
    digest: str
    settled: str | None
    seen: Sequence[str]
    doubted: str | None


Stored = Mapping[str, Before]


def stored(connection: Connection, job: str, ids: Collection[str]) -> Stored:
    """Return what there is already of the objects."""
    columns = source.c
    said = (columns.state, columns.digest, columns.settled)
    kept = (*said, columns.seen, columns.doubted)
    return {
        guid: Before(*rest)
        for some in slices(ids)
        for guid, *rest in connection.execute(
            select(columns.guid, *kept).where(
                columns.job == job, columns.guid.in_(some)
            )
        )
    }
