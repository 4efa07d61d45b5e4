"""The embedded tenant directory: resources in an SQLite file of its own.

A group's members are rows, so that a change of one of 50,000 writes one.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from cloudforest.adapters.store import tenant_rows
from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.tables import tenant_metadata
from cloudforest.adapters.store.tenant_rows import Content, Members, Slice, Stored
from cloudforest.base.clock import Clock, system_clock

T = TypeVar("T")
Revise = Callable[[Stored], Content | None]


class VersionDiffers(Exception):  # noqa: N818 - named for what happened
    """The resource is no longer at the version that the client knows."""


class TenantDirectory:
    """Users, groups and contacts. Each method is one transaction, or a read."""

    def __init__(self, database: Database, *, clock: Clock = system_clock) -> None:
        """Make the tables if they don't exist."""
        self._database = database
        self._clock = clock
        tenant_metadata.create_all(database.engine)

    async def create(self, kind: str, content: Content) -> Stored:
        """Store a new resource; raises Taken."""
        now = _text(self._clock())
        row = Stored(0, str(uuid.uuid4()), kind, 1, now, now, content.body)
        self._run(lambda connection: tenant_rows.add(connection, row, content))
        return dataclasses.replace(row, members=content.members or {})

    async def get(self, kind: str, id_: str, *, members: bool) -> Stored | None:
        return self._run(
            lambda connection: _load(connection, kind, id_, members=members)
        )

    async def revise(
        self,
        kind: str,
        id_: str,
        revise: Revise,
        *,
        members: bool,
        versions: frozenset[int] | None,
    ) -> Stored | None:
        """Rewrite a resource by `revise`, which may raise; None leaves it as it is.

        Returns it as it is afterwards, or None if there is none.
        Raises Taken, and VersionDiffers unless its version is among `versions`.
        """
        now = _text(self._clock())

        def work(connection: Connection) -> Stored | None:
            row = _load(connection, kind, id_, members=members)
            if row is None:
                return None
            _check(row, versions)
            content = revise(row)
            if content is None:
                return row
            tenant_rows.rewrite(connection, row, content, now)
            after = row.members if content.members is None else content.members
            _replace_members(connection, row, after)
            return dataclasses.replace(
                row,
                version=row.version + 1,
                modified=now,
                body=content.body,
                members=after,
            )

        return self._run(work)

    async def change_members(
        self,
        kind: str,
        id_: str,
        *,
        add: Members,
        remove: Sequence[str],
        versions: frozenset[int] | None,
    ) -> Stored | None:
        """Add, then remove, touching only these rows; otherwise as `revise`."""
        now = _text(self._clock())

        def work(connection: Connection) -> Stored | None:
            row = tenant_rows.find(connection, kind, id_)
            if row is None:
                return None
            _check(row, versions)
            held = tenant_rows.present_members(connection, id_, [*add, *remove])
            new = {each: add[each] for each in add if each not in held}
            gone = [each for each in remove if each in held or each in new]
            if not (new or gone):
                return row
            tenant_rows.put_members(connection, id_, new)
            tenant_rows.take_members(connection, id_, gone)
            tenant_rows.touch(connection, id_, now)
            return dataclasses.replace(row, version=row.version + 1, modified=now)

        return self._run(work)

    async def delete(
        self, kind: str, id_: str, *, versions: frozenset[int] | None
    ) -> bool:
        """Return whether it was there; its memberships in groups end with it."""
        now = _text(self._clock())

        def work(connection: Connection) -> bool:
            row = tenant_rows.find(connection, kind, id_)
            if row is None:
                return False
            _check(row, versions)
            tenant_rows.remove(connection, id_, now)
            return True

        return self._run(work)

    async def count(self, kind: str | None) -> int:
        """Count the resources of one type, or of all."""
        return self._run(lambda connection: tenant_rows.count(connection, kind))

    async def listing(self, part: Slice, *, members: bool) -> list[Stored]:
        def work(connection: Connection) -> list[Stored]:
            found = tenant_rows.listed(connection, part)
            return _with_members(connection, found) if members else found

        return self._run(work)

    def _run(self, work: Callable[[Connection], T]) -> T:
        # On the event loop, on purpose: a transaction takes a fifth of a millisecond,
        # and a thread that competes for the interpreter more than that (measured: 2000
        # reads a second here, 1200 by the worker thread).
        return self._database.run_now(work)


def _text(now: datetime) -> str:
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _with_members(connection: Connection, found: Sequence[Stored]) -> list[Stored]:
    members = tenant_rows.members_of(connection, [each.id for each in found])
    return [dataclasses.replace(each, members=members[each.id]) for each in found]


def _load(
    connection: Connection, kind: str, id_: str, *, members: bool
) -> Stored | None:
    row = tenant_rows.find(connection, kind, id_)
    if row is None or not members:
        return row
    return _with_members(connection, [row])[0]


def _check(row: Stored, versions: frozenset[int] | None) -> None:
    if versions is not None and row.version not in versions:
        raise VersionDiffers


def _replace_members(connection: Connection, row: Stored, after: Members) -> None:
    changed = {
        each: body for each, body in after.items() if row.members.get(each) != body
    }
    gone = [each for each in row.members if each not in after or each in changed]
    tenant_rows.take_members(connection, row.id, gone)
    tenant_rows.put_members(connection, row.id, changed)
