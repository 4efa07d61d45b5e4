"""What travels: a request to the agents of a domain, and the pages of their answer."""

from __future__ import annotations

import uuid
from typing import Literal

import msgspec

from cloudforest.model.messages.records import Record
from cloudforest.model.program import ObjectType, ScopeProgram
from cloudforest.model.value import Value


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
