"""What an import leaves open: who must be asked for by objectGUID, and why.

Inquiries: the objects that must be asked by objectGUID before all else.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Select, and_, delete, exists, select, true, update

from cloudforest.adapters.store import sources
from cloudforest.adapters.store.database import Part, insert_missing, slices, upsert
from cloudforest.adapters.store.memberships import doubted_groups, forget_older_members
from cloudforest.adapters.store.records import Said, save_records, sort_out
from cloudforest.adapters.store.sources import (
    Stored,
    doubts,
    is_held,
    is_linked,
    is_unknown,
    stored,
)
from cloudforest.adapters.store.tables import inquiry, scope_member, source
from cloudforest.model.cycles import ImportEnd
from cloudforest.model.messages import InScope, Record


def add(connection: Connection, job: str, ids: Sequence[str]) -> None:
    upsert(
        connection, inquiry, [{"job": job, "guid": each} for each in dict.fromkeys(ids)]
    )


def remove(connection: Connection, job: str, ids: Sequence[str]) -> None:
    for some in slices(ids):
        connection.execute(
            delete(inquiry).where(inquiry.c.job == job, inquiry.c.guid.in_(some))
        )


def _unnamed(job: str, generation: int) -> Select[str]:
    """Return the held rows that this import has not named."""
    return select(source.c.guid).where(
        source.c.job == job, is_held(), source.c.generation < generation
    )


def ask_groups(connection: Connection, job: str, said: Said) -> None:
    """Ask for the groups of those who come back after they were deleted.

    A tombstone has lost its memberships, and a recycle bin gives them back: a delta
    names the groups in neither case.
    """
    back = [id_ for id_, each in said.named.items() if isinstance(each, InScope)]
    add(connection, job, doubted_groups(connection, job, back))


def _doubtful(
    connection: Connection, job: str, said: Said, before: Stored
) -> list[str]:
    """Return those who show less than before, and were not asked for that yet."""
    asked = {id_: frozenset((old.doubted or "").split()) for id_, old in before.items()}
    return [
        id_
        for id_, names in doubts(connection, job, said.named)
        if not names <= asked.get(id_, frozenset())
    ]


def from_page(
    connection: Connection, job: str, generation: int, said: Said, before: Stored
) -> None:
    """Store what a page of an import leaves open; who is named is not asked again.

    A delta names only some members of a group: one that enters is asked for all.
    """
    groups = said.groups()
    remove(connection, job, sorted(said.named.keys() - set(groups)))
    entering = [
        each for each in groups if each not in before or before[each].state != "in"
    ]
    doubtful = _doubtful(connection, job, said, before)
    add(connection, job, [*said.unknown, *entering, *doubtful])
    ask_groups(connection, job, said)
    for some in slices(said.moved):
        lie_in = _unnamed(job, generation).where(source.c.parent.in_(some))
        insert_missing(connection, inquiry, job, lie_in)


def _compare_members(
    connection: Connection, job: str, generation: int, end: ImportEnd
) -> None:
    """Ask for who entered the scope's groups and who left them."""
    member = scope_member.c
    if not end.whole:
        named = exists().where(
            source.c.job == job,
            source.c.guid == member.guid,
            source.c.generation == generation,
        )
        entered = select(member.guid).where(
            member.job == job, member.entered == true(), ~named
        )
        insert_missing(connection, inquiry, job, entered)
    connection.execute(
        update(scope_member).where(member.job == job).values(entered=False)
    )
    if not (end.members or end.whole):
        return
    left = and_(member.job == job, member.generation < generation)
    insert_missing(
        connection,
        inquiry,
        job,
        _unnamed(job, generation).where(
            source.c.guid.in_(select(member.guid).where(left))
        ),
    )
    connection.execute(delete(scope_member).where(left))


def _compare_types(
    connection: Connection, job: str, generation: int, end: ImportEnd
) -> None:
    """Ask for whom a read of all did not name; groups that it named are known whole.

    One that may hide something is not.
    """
    unnamed = _unnamed(job, generation).where(source.c.type.in_(end.full))
    insert_missing(connection, inquiry, job, unnamed)
    if "group" not in end.full:
        return
    named = select(source.c.guid).where(
        source.c.job == job,
        source.c.type == "group",
        source.c.generation == generation,
        source.c.doubted.is_(None),
    )
    connection.execute(
        delete(inquiry).where(inquiry.c.job == job, inquiry.c.guid.in_(named))
    )
    if end.complete:
        forget_older_members(connection, job, generation)


def from_end(
    connection: Connection, job: str, target: str, generation: int, end: ImportEnd
) -> None:
    """Store what a whole import leaves open."""
    if end.full:
        _compare_types(connection, job, generation, end)
    _compare_members(connection, job, generation, end)
    unnamed = _unnamed(job, generation)
    if end.again == "managed":
        linked = is_linked(target, source.c.guid)
        insert_missing(connection, inquiry, job, unnamed.where(linked))
    if end.again != "nobody":
        insert_missing(connection, inquiry, job, unnamed.where(is_unknown()))


def _not_found(
    connection: Connection, job: str, generation: int, ids: Sequence[str]
) -> None:
    for some in slices(ids):
        connection.execute(
            update(source)
            .where(source.c.job == job, source.c.guid.in_(some))
            .where(source.c.state == "in", source.c.generation < generation)
            .values(state="unknown", settled=None)
        )


class Inquiries(Part):
    async def add_inquiries(self, job: str, ids: Sequence[str]) -> None:
        await self.database.run(lambda connection: add(connection, job, ids))

    async def inquiries(self, job: str, limit: int) -> list[str]:
        query = (
            select(inquiry.c.guid)
            .where(inquiry.c.job == job)
            .order_by(inquiry.c.guid)
            .limit(limit)
        )
        return await self.database.run(
            lambda connection: list(connection.execute(query).scalars())
        )

    async def doubted(self, job: str, ids: Sequence[str]) -> frozenset[str]:
        def work(connection: Connection) -> frozenset[str]:
            found = sources.doubts(connection, job, ids)
            return frozenset[str]().union(*(names for _, names in found))

        return await self.database.run(work)

    async def save_answers(
        self, job: str, generation: int, records: Sequence[Record]
    ) -> None:
        def work(connection: Connection) -> None:
            said = sort_out(records)
            before = stored(connection, job, said.named)
            save_records(connection, job, generation, said, before)
            ask_groups(connection, job, said)

        await self.database.run(work)

    async def finish_asking(
        self,
        job: str,
        generation: int,
        ids: Sequence[str],
        *,
        complete: bool,
        proved: Sequence[str] = (),
    ) -> None:
        def work(connection: Connection) -> None:
            _not_found(connection, job, generation, ids)
            if complete:
                forget_older_members(connection, job, generation)
            remove(connection, job, ids)
            left = sources.unproved(connection, job, ids, proved)
            add(connection, job, left)

        await self.database.run(work)
