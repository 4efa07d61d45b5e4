"""A small forest, a bus, a store and a target in memory, and cycles over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from tests.support.clock import ManualClock
from tests.support.memory_target import MemoryTarget

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.adapters.store.tables import metadata
from cloudforest.model.cycles import Cycle, LogEntry, LogQuery
from cloudforest.model.effects import Effect
from cloudforest.model.jobs import ResetScope
from cloudforest.model.messages import (
    Closing,
    InScope,
    Lookup,
    Members,
    ObjectRecord,
    Page,
    Record,
    SyncRequest,
    Unknown,
)
from cloudforest.model.program import (
    Attribute,
    AttributeProgram,
    Call,
    CompiledAttributeMapping,
    Constant,
    Deprovision,
    Expression,
    JobProgram,
    ScopeProgram,
)
from cloudforest.model.registration import (
    Budget,
    Job,
    Profile,
    Registration,
    Target,
    Tenant,
)
from cloudforest.provisioning.cycle import run_cycle
from cloudforest.provisioning.run import CycleContext, JobLocks

JOB = "people"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MANAGER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"
PAGE_SIZE = 3


def guid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def rule(target: str, attribute: str, **options: Any) -> CompiledAttributeMapping:
    return CompiledAttributeMapping(
        target=target,
        expression=Attribute(name=attribute),
        text=f"[{attribute}]",
        **options,
    )


def active_rule() -> CompiledAttributeMapping:
    """Active unless the attribute `disabled` has a value."""
    disabled = Call(function="IsPresent", arguments=(Attribute(name="disabled"),))
    yes, no = Constant(value=False), Constant(value=True)
    return CompiledAttributeMapping(
        target="active",
        expression=Call(function="IIF", arguments=(disabled, yes, no)),
        text="IIF(IsPresent([disabled]), false, true)",
    )


def program() -> JobProgram:
    deprovision = Deprovision(out_of_scope="disable", deleted="disable")
    users = (
        rule("externalId", "sourceanchor", matching_priority=1),
        rule("userName", "userprincipalname", matching_priority=2),
        rule("displayName", "displayname"),
        rule("title", "title"),
        active_rule(),
        rule(MANAGER, "manager", reference=True),
    )
    groups = (
        rule("externalId", "sourceanchor", matching_priority=1),
        rule("displayName", "cn", matching_priority=2),
        rule("members", "member", reference=True, multi=True),
    )
    return JobProgram(
        scope=ScopeProgram(types=("user", "group"), organizational_units=None),
        mappings=(
            AttributeProgram(
                mapping="ad-user",
                source="user",
                target="User",
                rules=users,
                reads=("displayname", "disabled", "manager", "title"),
                deprovision=deprovision,
            ),
            AttributeProgram(
                mapping="ad-group",
                source="group",
                target="Group",
                rules=groups,
                reads=("cn", "member"),
                deprovision=deprovision,
            ),
        ),
    )


def with_rule(target: str, expression: Expression, **options: Any) -> JobProgram:
    """Return the program with another expression for one attribute of people."""
    whole = program()
    users = whole.mappings[0]
    rules = tuple(
        msgspec.structs.replace(each, expression=expression, **options)
        if each.target == target
        else each
        for each in users.rules
    )
    users = msgspec.structs.replace(users, rules=rules)
    return msgspec.structs.replace(whole, mappings=(users, *whole.mappings[1:]))


@dataclass
class World:
    """A directory of `objects` and `members`, with `request_pages` for its agents.

    `answers`: answers to a `read` for objects that are not in `objects`. `reading`: the
    closing record of a `read`, if it differs from `closing`.
    """

    store: SqlProvisioningStore
    target: MemoryTarget = field(default_factory=MemoryTarget)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    turns: JobLocks = field(default_factory=JobLocks)
    objects: dict[str, InScope] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    answers: dict[str, ObjectRecord] = field(default_factory=dict)
    delta: list[Record] | None = None
    asked: list[SyncRequest] = field(default_factory=list)
    closing: Closing = field(
        default_factory=lambda: Closing(complete=True, watermark="1", directory="d")
    )
    reading: Closing | None = None
    program: JobProgram = field(default_factory=program)
    guard: dict[str, Budget] = field(default_factory=dict)
    profile: Profile = field(
        default_factory=lambda: Profile(
            name="generic", concurrency=2, max_members_per_request=2
        )
    )

    def person(self, number: int, **attributes: str) -> str:
        values = {
            "userprincipalname": f"p{number}@contoso.com",
            "displayname": f"Person {number}",
            **attributes,
        }
        return self._put("user", number, f"CN=P{number},DC=contoso,DC=com", values)

    def group(self, number: int, *members: str, cn: str = "") -> str:
        values = {"cn": cn or f"Group {number}"}
        id_ = self._put("group", number, f"CN=G{number},DC=contoso,DC=com", values)
        self.members[id_] = set(members)
        return id_

    def _put(self, kind: Any, number: int, dn: str, values: dict[str, str]) -> str:
        self.objects[guid(number)] = InScope(
            id=guid(number),
            type=kind,
            dn=dn,
            parent=None,
            anchor=guid(number),
            attributes={name: (value,) for name, value in values.items() if value},
        )
        return guid(number)

    def registration(self) -> Registration:
        return Registration(
            tenant=Tenant(name="contoso", scenario="new-hybrid-customer"),
            targets=(Target(name="cloud", scim="embedded", profile=self.profile),),
            jobs=(
                Job(
                    name=JOB,
                    domain="contoso.com",
                    target="cloud",
                    scope="all",
                    mappings=("ad-user", "ad-group"),
                    interval=120,
                    guard=self.guard,
                ),
            ),
            programs={JOB: self.program},
        )

    async def cycle(self) -> Cycle:
        return await run_cycle(self.run(), self.registration(), self.turns)

    async def read_all(self) -> None:
        """Make the next cycle read everything."""
        await self.restart("Watermark")

    async def restart(self, *resets: ResetScope) -> None:
        await self.store.restart_job(
            JOB,
            "cloud",
            resets=resets,
            change=lambda state: state,
            now=self.clock(),
        )

    def run(self) -> CycleContext:
        return CycleContext.open(
            self.registration(),
            JOB,
            store=self.store,
            bus=self,
            target=self.target,
            clock=self.clock,
        )

    def _records(self, request: SyncRequest) -> list[Record]:
        if request.kind == "read":
            ids = [self._id_of(each) for each in request.lookups]
            return [record for id_ in ids for record in self._answers(id_)]
        if request.watermark is not None:
            return self.delta or []
        groups = [
            Members(id=id_, add=tuple(sorted(members)))
            for id_, members in self.members.items()
            if members
        ]
        return [*self.objects.values(), *groups]

    def _id_of(self, lookup: Lookup) -> str:
        """Return the objectGUID of the object of a lookup, else its value."""
        for id_, each in self.objects.items():
            if lookup.by == "dn" and each.dn == lookup.value:
                return id_
            if (
                lookup.by == "attribute"
                and (
                    lookup.attribute,
                    (lookup.value,),
                )
                in each.attributes.items()
            ):
                return id_
        return lookup.value

    def _answers(self, id_: str) -> list[Record]:
        found = self.answers.get(id_) or self.objects.get(id_) or Unknown(id=id_)
        members = Members(id=id_, add=tuple(sorted(self.members.get(id_, ()))))
        return [found, members] if isinstance(found, InScope) else [found]

    async def request_pages(self, request: SyncRequest) -> AsyncIterator[Page]:
        self.asked.append(request)
        records = self._records(request)
        closing = self.reading if request.kind == "read" else None
        for sequence, at in enumerate(range(0, len(records) + 1, PAGE_SIZE)):
            last = at + PAGE_SIZE > len(records)
            yield Page(
                agent="a",
                request=request.id,
                sequence=sequence,
                records=tuple(records[at : at + PAGE_SIZE]),
                closing=(closing or self.closing) if last else None,
            )

    def of(self, resource_type: str) -> dict[str, dict[str, Any]]:
        """Return the resources of a type in the target, by anchor."""
        return {
            held.values["externalId"]: held.values
            for held in self.target.resources_by_id.values()
            if held.resource_type == resource_type and "externalId" in held.values
        }

    async def log(self, **query: Any) -> list[LogEntry]:
        """Return the entries of the provisioning log."""
        entries = await self.store.list_log_entries(
            LogQuery(**query), first=1, last=10**9, limit=10**6
        )
        return [entry for _, entry in entries]

    async def escrowed(self) -> list[Effect]:
        page = await self.store.list_escrowed_effects(JOB, after="", limit=10**6)
        return [effect for effect, _ in page]

    def id_of(self, anchor: str) -> str:
        return next(
            id_
            for id_, held in self.target.resources_by_id.items()
            if held.values.get("externalId") == anchor
        )

    def members_of(self, group: str) -> set[str]:
        """Return the anchors of the members of a group in the target."""
        held = self.target.resources_by_id
        ids = held[self.id_of(group)].members
        return {held[each].values["externalId"] for each in ids}


async def memory_store() -> tuple[Database, SqlProvisioningStore]:
    database = Database("sqlite://")
    await database.run(metadata.create_all)
    return database, SqlProvisioningStore(database)
