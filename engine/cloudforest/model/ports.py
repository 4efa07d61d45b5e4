"""The ports: what the machines need of the outside world. Only these are async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cloudforest.model.identity import AgentRecord, BusAccess, Operator
from cloudforest.model.messages import Lookup, Page, Record, SyncRequest
from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import (
    Change,
    Cycle,
    Effect,
    Flat,
    Link,
    LogEntry,
    Outcome,
    SourceRow,
    TargetResource,
    Watermark,
)
from cloudforest.model.registration import Registration

# --- the directory, at the agent -----------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One directory object. GUIDs are canonical lower-case text.

    `attributes`: see `messages.InScope`; an attribute without values is a cleared one.
    `members` are the objectGUIDs added to a group, `former_members` those removed.
    `classes` are its objectClass values, in lower case. A `partial` entry of a delta
    holds only what changed: read the object again before saying what it is.
    """

    guid: str
    dn: str
    type: ObjectType | None
    classes: frozenset[str]
    parent: str | None
    deleted: bool
    attributes: Mapping[str, tuple[str, ...]]
    members: tuple[str, ...] = ()
    former_members: tuple[str, ...] = ()
    partial: bool = False


@dataclass(frozen=True)
class Cookie:
    """The end of a read: what the next one starts from, and whether all was said."""

    value: str | None
    complete: bool


@dataclass(frozen=True)
class ResolvedGroup:
    guid: str
    members: frozenset[str] = field(default_factory=frozenset)


class Directory(Protocol):
    """One domain. Raises Unavailable or Rejected with a sentence that names it."""

    async def identify(self) -> str:
        """Return the objectGUID of the domain's head; it also proves the connection."""
        ...

    async def resolve(self, dns: Sequence[str]) -> dict[str, str]:
        """Return the objectGUID of each DN that exists, keyed by the DN as given."""
        ...

    async def members(self, group: str, *, nested: bool) -> frozenset[str]:
        """Return the objectGUIDs of the members of the group with this DN."""
        ...

    def changes(
        self, kind: ObjectType, attributes: Sequence[str], cookie: str | None
    ) -> AsyncIterator[Entry | Cookie]:
        """Yield what changed since the cookie (None: everything), then one Cookie.

        Entries come as the directory sends them: never collected. A group may come
        several times, each time with a part of its members.
        """
        ...

    def read(
        self, lookups: Sequence[Lookup], attributes: Sequence[str]
    ) -> AsyncIterator[Entry]:
        """Yield the objects named, deleted ones included; batched, not one by one."""
        ...

    async def close(self) -> None: ...


# --- the bus -------------------------------------------------------------------------

Answerer = Callable[[SyncRequest], AsyncIterator[Page]]
"""The agent's answer to a request: pages, none larger than the bus takes."""


class AgentBus(Protocol):
    """The bus as the provisioning service sees it."""

    def ask(self, request: SyncRequest) -> AsyncIterator[Page]:
        """Yield the pages in order, the closing one last.

        A page is acknowledged when the next one is asked for, so store it before.
        Raises Unavailable when no agent of the domain answers, or one stops midway.
        """
        ...


class ListenerBus(Protocol):
    """The bus as an agent sees it: one outbound connection."""

    async def connect(self, access: BusAccess) -> None: ...

    async def renew(self, access: BusAccess) -> None:
        """Go on with a new credential, losing nothing."""
        ...

    async def listen(self, domain: str, answer: Answerer) -> None:
        """Subscribe to a domain's requests, sharing them with its other agents."""
        ...

    async def unlisten(self, domain: str) -> None: ...

    @property
    def connected(self) -> bool: ...

    async def close(self) -> None: ...


# --- the target ----------------------------------------------------------------------


class Target(Protocol):
    """A SCIM 2.0 service.

    Raises `model.outcomes.Conflict` (409), `Refusal` (another answer about this object)
    or base Unavailable (the service as a whole: down, 401, 429 for too long).
    """

    requests: int
    """Requests sent so far."""

    def resources(
        self, resource_type: str, paths: Sequence[str]
    ) -> AsyncIterator[TargetResource]:
        """Yield every resource, page by page, without members."""
        ...

    async def find(
        self, resource_type: str, path: str, value: str, paths: Sequence[str]
    ) -> tuple[TargetResource, ...]:
        """Return the resources whose `path` equals `value`."""
        ...

    async def member_ids(self, resource_type: str, resource: str) -> frozenset[str]: ...

    async def create(self, resource_type: str, values: Flat) -> str:
        """Return the new resource's id.

        Raises Unavailable only if nothing was created, as far as can be known.
        """
        ...

    async def modify(
        self, resource_type: str, resource: str, changes: Sequence[Change]
    ) -> None: ...

    async def change_members(
        self,
        resource_type: str,
        resource: str,
        *,
        add: Sequence[str],
        remove: Sequence[str],
    ) -> None: ...

    async def close(self) -> None: ...


# --- the store -----------------------------------------------------------------------


class RegistrationStore(Protocol):
    async def registration(self) -> tuple[int, Registration | None]:
        """Return the revision (0: nothing registered) and what is registered."""
        ...

    async def register(
        self, registration: Registration, *, base: int, operator: str, now: datetime
    ) -> int:
        """Store it as the next revision; raises Stale unless `base` is the latest."""
        ...


class IdentityStore(Protocol):
    async def agents(self) -> list[AgentRecord]: ...

    async def save_agent(self, agent: AgentRecord) -> None:
        """Insert or replace by id."""
        ...

    async def update_agent(
        self, agent: str, change: Callable[[AgentRecord], AgentRecord]
    ) -> AgentRecord | None:
        """Change the agent with this id in one transaction; None if there is none."""
        ...

    async def delete_agents(self, ids: Sequence[str]) -> None: ...

    async def save_token(self, token_hash: str, agent: str, expires: datetime) -> None:
        """Keep a one-time enrolment token; an agent has at most one."""
        ...

    async def redeem_token(self, token_hash: str, now: datetime) -> str | None:
        """Return the agent's id and forget the token, or None if it is not valid."""
        ...

    async def remember_jti(self, jti: str, expires: datetime, now: datetime) -> bool:
        """Return whether it is new; forget those that have expired."""
        ...

    async def save_operator(self, operator: Operator, token_hash: str) -> None: ...

    async def operator(self, token_hash: str) -> Operator | None: ...

    async def audit(
        self, *, time: datetime, operator: str, action: str, detail: str
    ) -> None: ...


class ProvisioningStore(Protocol):
    """One method, one transaction. Ids are objectGUIDs; lists are batches."""

    async def watermark(self, job: str) -> Watermark | None: ...

    async def begin_import(self, job: str, cycle: str) -> int:
        """Return the generation under which this import's rows are stored."""
        ...

    async def save_page(
        self,
        job: str,
        generation: int,
        records: Sequence[Record],
        cursor: Watermark | None,
    ) -> None:
        """Store a page's rows and memberships and, if any, its durable cursor."""
        ...

    async def finish_import(
        self, job: str, generation: int, watermark: Watermark, *, full: bool
    ) -> None:
        """Store the watermark.

        After a full read a group has no older members, and an object that it did not
        name counts only while it is linked.
        """
        ...

    async def sources(
        self, job: str, target: str, after: str, limit: int
    ) -> list[SourceRow]:
        """Return in-scope rows in order of id, those after `after`."""
        ...

    async def source(self, job: str, id: str) -> SourceRow | None: ...  # noqa: A002

    async def known(self, job: str, target: str, ids: Sequence[str]) -> frozenset[str]:
        """Return those of the objects that are in scope of the job or linked."""
        ...

    async def links(self, target: str, ids: Sequence[str]) -> dict[str, Link]: ...

    async def resource_ids(self, target: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the resource id of each object that is linked."""
        ...

    async def managed(self, job: str, target: str) -> int:
        """Return how many objects of the job are linked."""
        ...

    async def save_snapshot(
        self,
        picture: str,
        resource_type: str,
        resources: Sequence[TargetResource],
        paths: Sequence[str],
    ) -> None:
        """Add to a picture of the target; it can be searched by these paths."""
        ...

    async def clear_snapshot(self, picture: str) -> None: ...

    async def matches(
        self, picture: str, resource_type: str, path: str, values: Sequence[str]
    ) -> dict[str, tuple[TargetResource, ...]]:
        """Return the pictured resources by value of `path`, compared as in `find`."""
        ...

    async def linked_resources(
        self, target: str, resources: Sequence[str]
    ) -> dict[str, str]:
        """Return the objectGUID that each of these resource ids is linked to."""
        ...

    async def effects(self, job: str, keys: Sequence[str]) -> dict[str, Effect]: ...

    async def save_effects(
        self, job: str, cycle: str, effects: Sequence[Effect]
    ) -> None:
        """Put effects into the outbox, each in place of the one with its key."""
        ...

    async def drop_effects(self, job: str, cycle: str) -> None:
        """Forget the effects that this cycle did not save again."""
        ...

    async def remove_effects(self, job: str, keys: Sequence[str]) -> None: ...

    async def coming(
        self, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, str | None]:
        """Return those of the objects that this cycle is to write, as not held back.

        The value is the resource that is there already; None: it is to be created.
        """
        ...

    async def claimed(
        self, job: str, cycle: str, resources: Sequence[str]
    ) -> dict[str, str]:
        """Return the objectGUID for which this cycle is to adopt each resource."""
        ...

    async def pending(
        self, job: str, cycle: str, phase: int, *, after: str, limit: int
    ) -> list[Effect]:
        """Return a cycle's pending effects of a phase by key, those after `after`."""
        ...

    async def membership_changes(
        self, job: str, target: str, after: tuple[str, str], limit: int
    ) -> list[tuple[str, str, bool]]:
        """Return (group, member, wanted) where it differs from what the target got.

        Both ends are in scope of the job or linked. In order of group and member.
        """
        ...

    async def emptied_groups(
        self, job: str, target: str, cycle: str, groups: Sequence[str]
    ) -> frozenset[str]:
        """Return those of the groups that no member is left for or coming to."""
        ...

    async def record(
        self,
        job: str,
        target: str,
        cycle: str,
        *,
        outcomes: Sequence[Outcome],
        log: Sequence[LogEntry],
    ) -> None:
        """Store links, memberships, effect states and log in one transaction.

        A group that is linked anew has no memberships that we wrote. Raises
        `model.outcomes.AlreadyLinked`, and stores nothing, if a resource is another's.
        """
        ...

    async def log(self, entries: Sequence[LogEntry]) -> None: ...

    async def logs(
        self,
        *,
        job: str | None = None,
        object: str | None = None,  # noqa: A002
        after: int = 0,
        limit: int = 1000,
    ) -> list[tuple[int, LogEntry]]: ...

    async def start_cycle(self, cycle: Cycle) -> None:
        """Store it; a cycle of this job still called running was cut short: failed."""
        ...

    async def finish_cycle(self, cycle: Cycle) -> None: ...

    async def last_cycles(self) -> dict[str, Cycle]:
        """Return the latest cycle of each job."""
        ...

    async def has_finished(self, job: str, target: str) -> bool:
        """Return whether a cycle of the job to the target ended without failing."""
        ...

    async def copy_job(self, job: str, scratch: str) -> None:
        """Start a scratch job with the rows, but not the watermark, of this one."""
        ...

    async def drop_job(self, job: str) -> None:
        """Forget all that is kept for a (scratch) job, except cycles, links and log."""
        ...

    async def drop_scratch(self) -> None:
        """Forget all scratch jobs (`plan:…`) and pictures: nobody works on them."""
        ...

    async def escrowed(self, job: str) -> list[Effect]: ...

    async def effect_counts(self) -> dict[str, dict[str, int]]:
        """Return per job the number of effects by state."""
        ...


Sleep = Callable[[float], Awaitable[None]]
