"""Messages between the service and the agents: sync requests, and answers in pages.

On the bus they are SCIM messages with our extension.
"""

from __future__ import annotations

import uuid
from typing import Literal, TypeVar

import msgspec
from msgspec.structs import asdict

from cloudforest.base.values import Value
from cloudforest.model.program import ObjectType, ScopeProgram

SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SYNC_REQUEST = "urn:cloudforest:2.0:SyncRequest"
SYNC_PAGE = "urn:cloudforest:2.0:SyncPage"

T = TypeVar("T")

PAGE_BYTES = 512 * 1024
"""The size of a page, as JSON, that an agent stays below."""


class Clause(Value, frozen=True):
    """One clause of a scope and whether it holds; without values of the object."""

    text: str
    holds: bool


class InScope(Value, frozen=True, tag_field="record", tag="in"):
    """An object in scope.

    `attributes`: names in lower case; values in the directory's order; binary values in
    base64, GUIDs and SIDs in their usual text, references as objectGUIDs.
    `anchor` is mS-DS-ConsistencyGuid if set, else objectGUID, in GUID text.
    `seen` and `hidden` name attributes that the scope rests on: those that the object
    shows, and those that it does not show and that no delta named as cleared.
    `member:GUID` stands for membership in one of the scope's groups.
    `missing` names requested attributes that the object does not show and that may be
    hidden.
    """

    id: str
    type: ObjectType
    dn: str
    parent: str | None
    anchor: str
    attributes: dict[str, tuple[str, ...]]
    seen: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    clauses: tuple[Clause, ...] = ()


class OutOfScope(Value, frozen=True, tag_field="record", tag="out"):
    """An object that is not in scope.

    `clause` says why, in `read` answers only; it never contains a value.
    `rests_on` names attributes that the object does not show and that could bring it
    into scope. If they were seen before, this record proves nothing: an inherited deny
    may hide them. Attributes that are proven clear are left out.
    """

    id: str
    clause: str | None = None
    rests_on: tuple[str, ...] = ()
    clauses: tuple[Clause, ...] = ()


class Tombstone(Value, frozen=True, tag_field="record", tag="gone"):
    """A deletion seen."""

    id: str


class Unknown(Value, frozen=True, tag_field="record", tag="unknown"):
    """An object that a `read` did not find, which proves nothing.

    `reason` says why the agent cannot answer about an object that it did find.
    """

    id: str
    reason: str | None = None


class Members(Value, frozen=True, tag_field="record", tag="members"):
    """Memberships of a group, by objectGUID; `id` is the group's."""

    id: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class ScopeMembers(Value, frozen=True, tag_field="record", tag="scope-members"):
    """Members of the scope's groups, by objectGUID, sent when they have changed.

    Several records together hold all of them; `Closing.members` says that they were
    sent, even if the groups are empty.
    """

    ids: tuple[str, ...]


class MovedContainers(Value, frozen=True, tag_field="record", tag="moved"):
    """Moved containers, and those below them, by objectGUID.

    The objects that they contain now have their own records.
    """

    ids: tuple[str, ...]


ObjectRecord = InScope | OutOfScope | Tombstone | Unknown
Record = ObjectRecord | Members | ScopeMembers | MovedContainers


def domain_id(name: str) -> str:
    """Return the token for a domain in bus subjects, which cannot contain dots."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, name.lower()).hex


class Lookup(Value, frozen=True):
    """Names one object: by objectGUID, by DN, or by an attribute value.

    In calls to the service, `attribute` may be None: any attribute that the job matches
    by. In requests to agents it is always set.
    """

    by: Literal["guid", "dn", "attribute"]
    value: str
    attribute: str | None = None


class SyncRequest(Value, frozen=True):
    """A sync request to the agents of one domain.

    `import`: everything since `watermark` (None: everything).
    `read`: the objects named by `lookups`, including deleted ones.
    `attributes`: what to read for each type; the answer contains nothing else.
    `bindings`: scope bindings, DN to objectGUID, so that a renamed OU stays in scope.
    `directory`: identifies the domain that the job is bound to; None before its first
    read.
    `nested`: groups that were nested in the scope's groups.
    `prove`: attributes, in lower case, for which a `read` must decide whether they are
    empty or hidden.
    `explain`: report for each clause whether it holds.
    """

    id: str
    job: str
    domain: str
    kind: Literal["import", "read"]
    scope: ScopeProgram
    attributes: dict[ObjectType, tuple[str, ...]]
    watermark: str | None = None
    lookups: tuple[Lookup, ...] = ()
    bindings: dict[str, str] = msgspec.field(default_factory=dict)
    directory: str | None = None
    nested: tuple[str, ...] = ()
    prove: tuple[str, ...] = ()
    explain: bool = False
    version: Literal[1] = 1


class Closing(Value, frozen=True):
    """The end of an answer.

    `complete`: false when the directory did not return all that was requested.
    `watermark`: where the next import starts.
    `directory`: identifies the domain that answered.
    `bindings`: objectGUIDs of the scope's OUs and groups, by DN.
    `nested`: objectGUIDs of the groups nested in those groups.
    `full`: types that were read in full, requested or not (the controller may refuse a
    cookie).
    `members`: the members of the scope's groups were sent.
    `lacks`: rights that the account needs to see deletions.
    `error`: one sentence that says why nothing, or not everything, could be read.
    `final`: asking again would not help.
    """

    complete: bool
    watermark: str | None = None
    directory: str | None = None
    bindings: dict[str, str] = msgspec.field(default_factory=dict)
    nested: tuple[str, ...] = ()
    full: tuple[ObjectType, ...] = ()
    members: bool = False
    lacks: tuple[str, ...] = ()
    error: str | None = None
    final: bool = False


class Page(Value, frozen=True):
    """One page of an answer; `sequence` counts from 0. The last page has `closing`.

    `cursor` is set only where the directory itself can resume.
    """

    agent: str
    request: str
    sequence: int
    records: tuple[Record, ...] = ()
    cursor: str | None = None
    closing: Closing | None = None


class _RequestMessage(Value, frozen=True):
    schemas: tuple[str, str]
    attributes: tuple[str, ...]
    request: SyncRequest = msgspec.field(name=SYNC_REQUEST)


class _PageHead(Value, frozen=True):
    agent: str
    request: str
    sequence: int
    cursor: str | None
    closing: Closing | None


class _PageMessage(Value, frozen=True):
    schemas: tuple[str, str]
    total_results: int
    records: tuple[Record, ...] = msgspec.field(name="Resources")
    head: _PageHead = msgspec.field(name=SYNC_PAGE)


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None


def encode_request(request: SyncRequest) -> bytes:
    return msgspec.json.encode(
        {
            "schemas": [SEARCH_REQUEST, SYNC_REQUEST],
            "attributes": sorted(set().union(*request.attributes.values())),
            SYNC_REQUEST: request,
        }
    )


def decode_request(data: bytes) -> SyncRequest:
    """Return the request; raises MsgspecError for anything else."""
    return _decode(data, _RequestMessage).request


def encode_page(page: Page) -> bytes:
    return msgspec.json.encode(
        {
            "schemas": [LIST_RESPONSE, SYNC_PAGE],
            "totalResults": len(page.records),
            "Resources": page.records,
            SYNC_PAGE: {
                name: getattr(page, name) for name in _PageHead.__struct_fields__
            },
        }
    )


def decode_page(data: bytes) -> Page:
    """Return the page; raises MsgspecError for anything else.

    It is decoded into its type, because nothing that is not one may take memory.
    """
    message = _decode(data, _PageMessage)
    return Page(records=message.records, **asdict(message.head))
