"""Finding entries in an LDIF file: each search is a pass over it.

Who the members of a group are, in an LDIF file: each level is two passes over it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import (
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from collections.abc import (
    Set as AbstractSet,
)
from dataclasses import dataclass, field
from pathlib import Path

from cloudforest.adapters import directory_entries
from cloudforest.adapters.directory_entries import ALWAYS, Found
from cloudforest.adapters.ldif.index import Index
from cloudforest.adapters.ldif.reader import Pattern, Record, attributes, read
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import Foreign, GroupMembers, Kind
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import domain_of, parse_dn

_CONTAINERS = frozenset({"organizationalunit", "container", "builtindomain"})
_WORDS = frozenset({"objectclass", "isdeleted"})
_KEPT = directory_entries.REFERENCES - {"member"}
"""References that are one value of an object; memberships are never lost by silence."""


def records(path: Path, maybe: Pattern | None = None) -> Iterator[Record]:
    return (each for each in read(path, maybe) if isinstance(each, Record))


def _is_in_a_domain(dn: str) -> bool:
    if "dc=" not in dn.replace(" ", "").lower():
        return False
    try:
        return parse_dn(dn)[-1].startswith("dc=")
    except SyntaxFault:
        return False


def _reference(name: str, value: str, index: Index) -> str | None:
    """Return a value with a DN replaced by its objectGUID, as over LDAP.

    An export does not say which attributes hold DNs, so every value that is one counts.
    None where the DN lies outside the export; but if that may lack entries, a name that
    nobody has: to drop a reference would clear it in the target, and nothing proves it.
    """
    if "=" not in value:
        return None if name in directory_entries.REFERENCES else value
    prefix, dn = directory_entries.split_prefixed(value)
    if (guid := index.guid(dn)) is not None:
        return prefix + directory_entries.guid_text(guid)
    if name in _KEPT and not index.complete:
        return str(uuid.uuid5(uuid.NAMESPACE_X500, dn.casefold()))
    return (
        None if name in directory_entries.REFERENCES or _is_in_a_domain(dn) else value
    )


def _texts(name: str, raw: Sequence[bytes], index: Index) -> tuple[str, ...]:
    texts = (directory_entries.text(name, each) for each in raw)
    if name in _WORDS:
        return tuple(each.strip() for each in texts)
    if name in directory_entries.NAMES or name in directory_entries.BINARY:
        return tuple(texts)
    found = (_reference(name, each, index) for each in texts)
    return tuple(each for each in found if each is not None)


def _is_escaped(dn: str, at: int) -> bool:
    before = dn[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _parent(dn: str) -> str:
    """Return what follows the first comma that is not escaped."""
    at = dn.find(",")
    while at > 0 and _is_escaped(dn, at):
        at = dn.find(",", at + 1)
    return dn[at + 1 :] if at >= 0 else ""


def _found(record: Record, index: Index, wanted: Pattern) -> Found:
    dn = record.dn
    held = {
        name: _texts(name, raw, index) for name, raw in record.values(wanted).items()
    }
    parent = index.guid(_parent(dn))
    if parent is not None:
        held["parentguid"] = (directory_entries.guid_text(parent),)
    members = held.pop("member", ())
    return Found(dn=dn, attributes=held, members=members)


def of_kind(
    path: Path, index: Index, *, kind: Kind, asked: Sequence[str]
) -> Generator[Found, None, None]:
    """Yield the entries that have the kind among their object classes."""
    wanted = attributes({*ALWAYS, *asked})
    classes = _CONTAINERS if kind == "container" else frozenset({kind})
    # Most entries are of another kind: look before decoding. A class may be in base64.
    choice = "|".join(classes).encode()
    line = rb"^objectclass(?:;[^:\n]*)?:(?: *(?:" + choice + rb") *$|:)"
    maybe = re.compile(line, re.IGNORECASE | re.MULTILINE)
    for record in records(path, maybe):
        found = _found(record, index, wanted)
        if not classes.isdisjoint(map(str.lower, found.attributes["objectclass"])):
            yield found


def _guid_bytes(text: str) -> bytes | None:
    try:
        return uuid.UUID(text).bytes_le
    except ValueError:
        return None


def _guids(index: Index, lookups: Sequence[Lookup]) -> frozenset[bytes]:
    found: set[bytes | None] = set()
    for lookup in lookups:
        match lookup.by:
            case "guid":
                found.add(_guid_bytes(lookup.value))
            case "dn":
                found.add(index.guid(lookup.value))
            case "attribute":
                continue
    return frozenset(each for each in found if each is not None)


def _holds_any(
    held: Mapping[str, Sequence[bytes]], pairs: AbstractSet[tuple[str, str]]
) -> bool:
    return bool(pairs) and any(
        (name, directory_entries.text(name, raw).casefold()) in pairs
        for name, several in held.items()
        for raw in several
    )


def named(
    path: Path, index: Index, *, lookups: Sequence[Lookup], asked: Sequence[str]
) -> Generator[Found, None, None]:
    """Yield the entries that a lookup names, in one pass for all lookups."""
    wanted = attributes({*ALWAYS, *asked})
    guids = _guids(index, lookups)
    pairs = {
        ((each.attribute or "").lower(), each.value.casefold())
        for each in lookups
        if each.by == "attribute"
    }
    keys = attributes({"objectguid", *(name for name, _ in pairs)})
    for record in records(path):
        held = record.values(keys)
        if held["objectguid"][0] in guids or _holds_any(held, pairs):
            yield _found(record, index, wanted)


_GROUP = attributes(["objectclass", "objectsid", "member"])
_PRIMARY = attributes(["objectguid", "primarygroupid"])
_GUID = attributes(["objectguid"])


@dataclass
class _Level:
    """The members of some groups; `silent`: one of these shows none.

    `ids` are the relative ids that those have whose primary group it is.
    """

    members: set[str] = field(default_factory=set)
    foreign: set[Foreign] = field(default_factory=set)
    ids: set[bytes] = field(default_factory=set)
    silent: bool = False

    def add(self, other: _Level) -> None:
        self.members |= other.members
        self.foreign |= other.foreign
        self.silent |= other.silent


@dataclass(frozen=True)
class Reading:
    """Reads the groups of one domain, named in lower case."""

    path: Path
    index: Index
    domain: str

    def group(self, dn: str, *, nested: bool) -> GroupMembers:
        """Return the members of a group.

        An export does not say whether a group without members has none.
        """
        head = self.index.guid(dn)
        frontier = frozenset() if head is None else frozenset({head})
        seen = frontier
        found = _Level()
        while frontier:
            level = self._level(frontier)
            found.add(level)
            below = frozenset(uuid.UUID(each).bytes_le for each in level.members)
            frontier = below - seen if nested else frozenset()
            seen |= below
        return GroupMembers(
            frozenset(found.members),
            whole=self.index.complete and not found.silent,
            foreign=frozenset(found.foreign),
        )

    def _level(self, groups: AbstractSet[bytes]) -> _Level:
        """Return the members of those of the objects that are groups."""
        level = _Level()
        for record in records(self.path):
            if record.values(_GUID)["objectguid"][0] in groups:
                self._add(record, level)
        level.members.update(self._primary_members(level.ids))
        return level

    def _add(self, record: Record, level: _Level) -> None:
        held = record.values(_GROUP)
        if b"group" not in (each.strip().lower() for each in held["objectclass"]):
            return
        dns = [each.decode(errors="replace") for each in held.get("member", ())]
        foreign = [each for each in dns if domain_of(each) not in {self.domain, None}]
        level.foreign.update(Foreign(each, self._guid(each)) for each in foreign)
        own = filter(None, map(self._guid, set(dns).difference(foreign)))
        level.members.update(known := frozenset(own))
        level.silent |= not known and not foreign
        level.ids.update(_relative_ids(held.get("objectsid", ())))

    def _guid(self, dn: str) -> str | None:
        raw = self.index.guid(dn)
        return None if raw is None else directory_entries.guid_text(raw)

    def _primary_members(self, ids: AbstractSet[bytes]) -> Iterator[str]:
        """Yield those whose primary group has one of these relative ids."""
        for record in records(self.path) if ids else ():
            held = record.values(_PRIMARY)
            if ids.isdisjoint(held.get("primarygroupid", ())):
                continue
            if domain_of(record.dn) == self.domain:
                yield directory_entries.guid_text(held["objectguid"][0])


def _relative_ids(sids: Iterable[bytes]) -> Iterator[bytes]:
    for each in sids:
        if id_ := directory_entries.relative_id(directory_entries.sid_text(each)):
            yield id_.encode()
