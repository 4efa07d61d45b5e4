"""A directory in memory, and the answers of an agent that reads it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from cloudforest.agent.answer import Responder
from cloudforest.base.errors import Unavailable
from cloudforest.model.messages import Closing, Lookup, Record, SyncRequest
from cloudforest.model.ports.directory import (
    DirSyncCookie,
    Entry,
    EntryKind,
    GroupMembers,
)
from cloudforest.model.program import (
    Compare,
    Filter,
    ObjectType,
    ScopeProgram,
    TypeFilter,
)

PEOPLE = "OU=People,DC=contoso,DC=com"
STAFF = "CN=Staff,OU=Groups,DC=contoso,DC=com"
HEAD = "00000000-0000-0000-0000-0000000000aa"
SALES = TypeFilter(
    text='department eq "Sales"',
    tree=Compare(attribute="department", operator="eq", value="Sales"),
)


def _type(kind: EntryKind) -> ObjectType | None:
    return None if kind == "container" else kind


class Domain:
    """A directory in memory that records its requests."""

    def __init__(self, entries: Sequence[Entry], *, fails_after: int = 1_000) -> None:
        self.entries = entries
        self.bindings = {PEOPLE: "ou-guid", STAFF: "staff-guid"}
        self.deltas: list[Entry] = []
        self.fails_after = fails_after
        self.asked: list[tuple[str, str | None]] = []
        self.read_attributes: set[str] = set()
        self.reread_attributes: set[str] = set()
        self.complete = True
        self.refuses_cookies = False
        self.groups = {STAFF: frozenset({"u1"}), "inner": frozenset({"u2"})}
        self.nested = frozenset({"inner"})
        self.lacks: tuple[str, ...] = ()
        self.hides = False
        self.hidden: frozenset[str] = frozenset()
        self.proofs: list[tuple[Sequence[str], Sequence[str]]] = []
        self.read_below: list[tuple[str, str]] = []
        self.wanted: dict[EntryKind, Filter | None] = {}
        self.wanted_below: dict[EntryKind, Filter | None] = {}

    async def identify_domain(self) -> str:
        return HEAD

    async def resolve_dns(self, dns: Sequence[str]) -> dict[str, str]:
        return {dn: self.bindings[dn] for dn in dns if dn in self.bindings}

    async def read_members(self, group: str, *, nested: bool) -> GroupMembers:
        followed = self.nested if nested else frozenset()
        held = self.groups[group]
        inner = (self.groups.get(each, frozenset()) for each in followed)
        ids = held.union(*inner)
        return GroupMembers(ids, followed, is_complete=bool(held) and self.complete)

    async def read_changes(
        self,
        kind: EntryKind,
        attributes: Sequence[str],
        cookie: str | None,
        where: Filter | None = None,
    ) -> AsyncIterator[Entry | DirSyncCookie]:
        self.asked.append((kind, cookie))
        self.wanted[kind] = where
        self.read_attributes |= set(attributes)
        full = cookie is None or self.refuses_cookies
        for count, each in enumerate(self.entries if full else self.deltas):
            if count == self.fails_after and kind != "container":
                raise Unavailable("dc1 stopped answering.")
            if each.type == _type(kind):
                yield each
        yield DirSyncCookie(f"{kind}-2", is_complete=self.complete, is_full=full)

    async def read_subtree(
        self,
        container: str,
        kind: EntryKind,
        attributes: Sequence[str],
        where: Filter | None = None,
    ) -> AsyncIterator[Entry]:
        self.wanted_below[kind] = where
        self.read_attributes |= set(attributes)
        self.read_below.append((container, kind))
        head = next(each.dn for each in self.entries if each.object_guid == container)
        for each in self.entries:
            if each.type == _type(kind) and each.dn.endswith(head):
                yield each

    async def read_objects(
        self,
        lookups: Sequence[Lookup],
        attributes: Sequence[str],
        kind: ObjectType | None = None,
    ) -> AsyncIterator[Entry]:
        del kind
        self.read_attributes |= set(attributes)
        self.reread_attributes = set(attributes)
        wanted = {each.value for each in lookups}
        for each in self.entries:
            if each.object_guid in wanted:
                has_members = "member" in attributes
                yield each if has_members else replace(each, members=())

    async def find_proven_clear(
        self, guids: Sequence[str], attributes: Sequence[str]
    ) -> dict[str, frozenset[str]]:
        self.proofs.append((guids, attributes))
        return {
            each.object_guid: frozenset(attributes) - set(each.attributes) - self.hidden
            for each in self.entries
            if each.object_guid in guids
        }

    async def shows_all_members(self) -> bool:
        return self.complete

    async def shows_all_values(self) -> bool:
        return not self.hides

    async def list_missing_rights(self) -> tuple[str, ...]:
        return self.lacks

    async def watch_changes(self) -> AsyncIterator[None]:
        return
        yield

    async def close(self) -> None: ...


def entry(guid: str, kind: ObjectType | None = "user", **attributes: str) -> Entry:
    unit = attributes.pop("unit", PEOPLE)
    return Entry(
        object_guid=guid,
        dn=f"CN={guid},{unit}",
        type=kind,
        classes=frozenset({"top", kind or "organizationalunit"}),
        parent="ou-guid",
        is_deleted=False,
        attributes={
            name.replace("_", "-"): (value,) for name, value in attributes.items()
        },
    )


def request(**fields: object) -> SyncRequest:
    defaults: Mapping[str, object] = {
        "id": "r1",
        "job": "people",
        "domain": "contoso.com",
        "kind": "import",
        "scope": ScopeProgram(
            types=("user",),
            organizational_units=(PEOPLE,),
            filters={"user": SALES},
        ),
        "attributes": {"user": ("mail", "sourceanchor")},
    }
    return SyncRequest(**{**defaults, **fields})


async def answered(domain: Domain, asked: SyncRequest) -> tuple[list[Record], Closing]:
    answer = Responder("sync01", {"contoso.com": domain}, page_bytes=100_000)
    pages = [page async for page in answer(asked)]
    closing = pages[-1].closing
    assert closing is not None
    return [record for page in pages for record in page.records], closing
