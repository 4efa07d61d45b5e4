"""What an agent says about objects: the records of its answers."""

from __future__ import annotations

from cloudforest.model.program import ObjectType
from cloudforest.model.value import Value


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


class Gone(Value, frozen=True, tag_field="record", tag="gone"):
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


class Moved(Value, frozen=True, tag_field="record", tag="moved"):
    """Containers that were moved or renamed, or lie below one, by objectGUID.

    What lies in them now is answered by records of its own.
    """

    ids: tuple[str, ...]


ObjectRecord = InScope | OutOfScope | Gone | Unknown
Record = ObjectRecord | Members | ScopeMembers | Moved
