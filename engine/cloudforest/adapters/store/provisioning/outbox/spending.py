"""What outcomes do to budgets and stages, in the transaction that stores them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert

from cloudforest.adapters.store.provisioning.part import slices
from cloudforest.adapters.store.tables import spent, staged
from cloudforest.model.provisioning import Outcome, Spent


def text_of(time: datetime) -> str:
    """Return a text whose order is the order of time."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")


def save_spent(connection: Connection, job: str, sums: Iterable[Spent]) -> None:
    rows = [
        {
            "job": job,
            "guard": each.guard,
            "time": text_of(each.time),
            "effects": each.effects,
        }
        for each in sums
    ]
    if rows:
        connection.execute(insert(spent), rows)


def forget_staged(connection: Connection, stage: str, keys: Iterable[str]) -> None:
    for some in slices(keys):
        connection.execute(
            delete(staged).where(staged.c.stage == stage, staged.c.key.in_(some))
        )


def done_with(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Take out of their stages the effects that were released and are done."""
    keys: dict[str, list[str]] = {}
    for each in outcomes:
        if each.state == "done" and each.effect.stage is not None:
            keys.setdefault(each.effect.stage, []).append(each.effect.key)
    for stage, done in keys.items():
        forget_staged(connection, stage, done)
