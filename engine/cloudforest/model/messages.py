"""What travels: a request to the agents of a domain, and the pages of their answer.

What an agent says about objects: the records of its answers.

How requests and pages are written on the bus: SCIM messages with our extension.
"""

from __future__ import annotations

import uuid
from typing import Literal

import msgspec

from cloudforest.base.values import Value
from cloudforest.model.program import ObjectType, ScopeProgram


class Clause(Value, frozen=True):
    """One clause of a scope, without values of the object, and whether it holds."""

    text: str
    holds: bool


class InScope(Value, frozen=True, tag_field="record", tag="in"):
    """An object in scope.

    `attributes`: names in lower case; values in the directory's order; binary values in
    base64, GUIDs and SIDs in their usual text, references as the other's objectGUID.
    `anchor` is mS-DS-ConsistencyGuid if set, else objectGUID, in GUID text. `seen` are
    the names of those attributes that the scope rests on and that the object shows,
    `hidden` of those that it does not show and that no delta named as cleared.
    `member:GUID` stands for being in one of the scope's groups. `missing` are the names
    of the attributes asked for that it does not show, and that may be hidden.
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
    """`clause` says why, in `read` answers only, and never holds a value.

    `rests_on` names the attributes that the object does not show and that could let it
    in: for whom they were seen before, this is no proof (an inherited deny hides an
    attribute of a living person). One that is proved to be cleared is not among them.
    """

    id: str
    clause: str | None = None
    rests_on: tuple[str, ...] = ()
    clauses: tuple[Clause, ...] = ()


class Tombstone(Value, frozen=True, tag_field="record", tag="gone"):
    """A tombstone was seen."""

    id: str


class Unknown(Value, frozen=True, tag_field="record", tag="unknown"):
    """Asked for by `read` and not found: no proof of anything.

    `reason` says what kept the agent from answering, where it did find the object.
    """

    id: str
    reason: str | None = None


class Members(Value, frozen=True, tag_field="record", tag="members"):
    """Memberships of a group, by objectGUID; `id` is the group's."""

    id: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class ScopeMembers(Value, frozen=True, tag_field="record", tag="scope-members"):
    """Members of the scope's groups, by objectGUID, when they are not as before.

    All of them, in parts; `Closing.members` says that they were sent, even if none.
    """

    ids: tuple[str, ...]


class MovedContainers(Value, frozen=True, tag_field="record", tag="moved"):
    """Containers that were moved or renamed, or lie below one, by objectGUID.

    What lies in them now is answered by records of its own.
    """

    ids: tuple[str, ...]


ObjectRecord = InScope | OutOfScope | Tombstone | Unknown
Record = ObjectRecord | Members | ScopeMembers | MovedContainers


def domain_id(name: str) -> str:
    """Return what stands for a domain in bus subjects, which can't hold dots."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, name.lower()).hex


class Lookup(Value, frozen=True):
    """One object, by objectGUID, by DN, or by an attribute that names it.

    Asked of the service, a value without an attribute is one of those that objects are
    matched by; agents are always told the attribute.
    """

    by: Literal["guid", "dn", "attribute"]
    value: str
    attribute: str | None = None


class SyncRequest(Value, frozen=True):
    """What the service asks of the agents of one domain.

    `import`: everything since `watermark` (None: everything there is).
    `read`: the objects named by `lookups`, deleted ones included.
    `attributes`: what to read of each type; the answer holds nothing else. `bindings`
    are the objectGUIDs that the scope's OUs and groups were bound to, by DN: an OU that
    was renamed is still the same one. `directory` identifies the domain that the job
    was bound to; None: it has read none. `nested` are the groups through which others
    were in those of the scope. `prove` are the attributes (in lower case) of which a
    `read` is to tell whether they are empty or hidden. `explain`: say of each clause
    whether it holds.
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
    """The last word of an answer.

    `complete` is false when the directory did not say all that was asked.
    `watermark` is what the next import starts from; `directory` identifies the domain
    that answered; `bindings` are the objectGUIDs of the scope's OUs and groups by DN,
    `nested` of the groups in those groups.
    `full` are the types of which everything was read, asked for or not (a cookie may be
    refused). `members`: the members of the scope's groups were sent. `lacks` are the
    rights without which the account can't see deletions. `error` says in one sentence
    why nothing, or no more, could be read; `final`: to ask again would not help.
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
    """One page of an answer; `sequence` counts from 0. The last one has `closing`.

    `cursor` is set only where the directory itself can resume there.
    """

    agent: str
    request: str
    sequence: int
    records: tuple[Record, ...] = ()
    cursor: str | None = None
    closing: Closing | None = None


SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SYNC_REQUEST = "urn:cloudforest:2.0:SyncRequest"
SYNC_PAGE = "urn:cloudforest:2.0:SyncPage"


def encode_request(request: SyncRequest) -> bytes:
    return msgspec.json.encode(
        {
            "schemas": [SEARCH_REQUEST, SYNC_REQUEST],
            "attributes": sorted(
                {a for each in request.attributes.values() for a in each}
            ),
            SYNC_REQUEST: request,
        }
    )


def decode_request(data: bytes) -> SyncRequest:
    return msgspec.convert(msgspec.json.decode(data)[SYNC_REQUEST], SyncRequest)


def encode_page(page: Page) -> bytes:
    return msgspec.json.encode(
        {
            "schemas": [LIST_RESPONSE, SYNC_PAGE],
            "totalResults": len(page.records),
            "Resources": page.records,
            SYNC_PAGE: {
                "agent": page.agent,
                "request": page.request,
                "sequence": page.sequence,
                "cursor": page.cursor,
                "closing": page.closing,
            },
        }
    )


def decode_page(data: bytes) -> Page:
    message = msgspec.json.decode(data)
    return msgspec.convert(
        {**message[SYNC_PAGE], "records": message["Resources"]}, Page
    )
