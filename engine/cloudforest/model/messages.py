"""What travels on the service bus: requests, records, pages.

A request is a SCIM SearchRequest (RFC 7644, 3.4.3) with our extension; an answer is a
series of SCIM ListResponse pages with our extension, closed by one record. An object
out of scope crosses as its objectGUID and nothing else.
"""

from __future__ import annotations

import uuid
from typing import Literal

import msgspec

from cloudforest.model.program import ObjectType, ScopeProgram
from cloudforest.model.value import Value

SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SYNC_REQUEST = "urn:cloudforest:2.0:SyncRequest"
SYNC_PAGE = "urn:cloudforest:2.0:SyncPage"
PROTOCOL_VERSION = 1


def domain_id(name: str) -> str:
    """Return what stands for a domain in bus subjects, which can't hold dots."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, name.lower()).hex


class Lookup(Value, frozen=True):
    """One object, by objectGUID, by DN, or by an attribute that names it."""

    by: Literal["guid", "dn", "attribute"]
    value: str
    attribute: str | None = None


class SyncRequest(Value, frozen=True):
    """What the service asks of the agents of one domain.

    `import`: everything since `watermark` (None: everything there is).
    `read`: the objects named by `lookups`, deleted ones included.
    `attributes`: what to read of each type; the answer holds nothing else.
    """

    id: str
    job: str
    domain: str
    kind: Literal["import", "read"]
    scope: ScopeProgram
    attributes: dict[ObjectType, tuple[str, ...]]
    watermark: str | None = None
    lookups: tuple[Lookup, ...] = ()
    version: Literal[1] = 1


class InScope(Value, frozen=True, tag_field="record", tag="in"):
    """An object in scope.

    `attributes`: names in lower case; values in the directory's order; binary values in
    base64, GUIDs and SIDs in their usual text, references as the other's objectGUID.
    `anchor` is mS-DS-ConsistencyGuid if set, else objectGUID, in GUID text.
    """

    id: str
    type: ObjectType
    dn: str
    parent: str | None
    anchor: str
    attributes: dict[str, tuple[str, ...]]


class OutOfScope(Value, frozen=True, tag_field="record", tag="out"):
    """`clause` says why, in `read` answers only, and never holds a value."""

    id: str
    clause: str | None = None


class Gone(Value, frozen=True, tag_field="record", tag="gone"):
    """A tombstone was seen."""

    id: str


class Unknown(Value, frozen=True, tag_field="record", tag="unknown"):
    """Asked for by `read` and not found: no proof of anything."""

    id: str


class Members(Value, frozen=True, tag_field="record", tag="members"):
    """Memberships of a group, by objectGUID; `id` is the group's."""

    id: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


Record = InScope | OutOfScope | Gone | Unknown | Members


class Closing(Value, frozen=True):
    """The last word of an answer.

    `complete` is false when the directory did not say all that was asked.
    `watermark` is what the next import starts from; `directory` identifies the domain
    that answered; `bindings` are the objectGUIDs of the scope's OUs and groups by DN.
    `error` says in one sentence why nothing, or no more, could be read.
    """

    complete: bool
    watermark: str | None = None
    directory: str | None = None
    bindings: dict[str, str] = msgspec.field(default_factory=dict)
    error: str | None = None


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
