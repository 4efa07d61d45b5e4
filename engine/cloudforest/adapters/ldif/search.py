"""Find entries and group members in an LDIF file.

A search is one pass over the file, a level of nested groups two.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from cloudforest.adapters import directory_entries
from cloudforest.adapters.directory_entries import ALWAYS_READ, DirectoryEntry
from cloudforest.adapters.ldif.index import LdifIndex
from cloudforest.adapters.ldif.reader import (
    BytesPattern,
    LdifEntry,
    attribute_pattern,
    read_ldif,
)
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import EntryKind, ForeignMember, GroupMembers
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import find_domain_name, parse_dn

_CONTAINER_CLASSES = frozenset(map(str.lower, directory_entries.CONTAINER_CLASSES))
_KEYWORD_ATTRIBUTES = frozenset({"objectclass", "isdeleted"})
_SINGLE_REFERENCES = directory_entries.REFERENCE_ATTRIBUTES - {"member"}
"""References other than members, which must not be cleared because of a missing DN."""

_GROUP_PATTERN = attribute_pattern(["objectclass", "objectsid", "member"])
_PRIMARY_GROUP_PATTERN = attribute_pattern(["objectguid", "primarygroupid"])
_GUID_PATTERN = attribute_pattern(["objectguid"])


def read_entries(
    path: Path, prefilter: BytesPattern | None = None
) -> Iterator[LdifEntry]:
    return (each for each in read_ldif(path, prefilter) if isinstance(each, LdifEntry))


def _is_domain_dn(dn: str) -> bool:
    if "dc=" not in dn.replace(" ", "").lower():
        return False
    try:
        return parse_dn(dn)[-1].startswith("dc=")
    except SyntaxFault:
        return False


def _to_reference(name: str, value: str, index: LdifIndex) -> str | None:
    """Return a value with its DN replaced by the objectGUID, as over LDAP.

    An export does not show which attributes have DN syntax, so every DN counts. None if
    the DN is not in the export. But if the export may be incomplete, the result is a
    GUID that nobody has: dropping the reference would clear it in the target without
    proof.
    """
    if "=" not in value:
        return None if name in directory_entries.REFERENCE_ATTRIBUTES else value
    prefix, dn = directory_entries.split_dn_prefix(value)
    if (guid := index.find_guid(dn)) is not None:
        return prefix + directory_entries.format_guid(guid)
    if name in _SINGLE_REFERENCES and not index.complete:
        return str(uuid.uuid5(uuid.NAMESPACE_X500, dn.casefold()))
    return (
        None
        if name in directory_entries.REFERENCE_ATTRIBUTES or _is_domain_dn(dn)
        else value
    )


def _decode_values(
    name: str, raw: Sequence[bytes], index: LdifIndex
) -> tuple[str, ...]:
    texts = (directory_entries.decode_value(name, each) for each in raw)
    if name in _KEYWORD_ATTRIBUTES:
        return tuple(each.strip() for each in texts)
    if (
        name in directory_entries.DN_ATTRIBUTES
        or name in directory_entries.BINARY_ATTRIBUTES
    ):
        return tuple(texts)
    references = (_to_reference(name, each, index) for each in texts)
    return tuple(each for each in references if each is not None)


def _is_escaped(dn: str, at: int) -> bool:
    before = dn[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _parent_dn(dn: str) -> str:
    """Return the part after the first comma that is not escaped."""
    at = dn.find(",")
    while at > 0 and _is_escaped(dn, at):
        at = dn.find(",", at + 1)
    return dn[at + 1 :] if at >= 0 else ""


def _to_directory_entry(
    record: LdifEntry, index: LdifIndex, pattern: BytesPattern
) -> DirectoryEntry:
    dn = record.dn
    attributes = {
        name: _decode_values(name, raw, index)
        for name, raw in record.attribute_values(pattern).items()
    }
    parent = index.find_guid(_parent_dn(dn))
    if parent is not None:
        attributes["parentguid"] = (directory_entries.format_guid(parent),)
    members = attributes.pop("member", ())
    return DirectoryEntry(dn=dn, attributes=attributes, members=members)


def find_by_kind(
    path: Path, index: LdifIndex, *, kind: EntryKind, names: Sequence[str]
) -> Generator[DirectoryEntry, None, None]:
    """Yield the entries that have the kind among their object classes."""
    pattern = attribute_pattern({*ALWAYS_READ, *names})
    classes = _CONTAINER_CLASSES if kind == "container" else frozenset({kind})
    # Most entries are of another kind, so test before decoding. A class may be base64.
    choice = "|".join(classes).encode()
    line = rb"^objectclass(?:;[^:\n]*)?:(?: *(?:" + choice + rb") *$|:)"
    prefilter = re.compile(line, re.IGNORECASE | re.MULTILINE)
    for record in read_entries(path, prefilter):
        entry = _to_directory_entry(record, index, pattern)
        if not classes.isdisjoint(map(str.lower, entry.attributes["objectclass"])):
            yield entry


def _lookup_guids(index: LdifIndex, lookups: Sequence[Lookup]) -> frozenset[bytes]:
    guids: set[bytes | None] = set()
    for lookup in lookups:
        match lookup.by:
            case "guid":
                guid = directory_entries.parse_guid(lookup.value)
                guids.add(None if guid is None else guid.bytes_le)
            case "dn":
                guids.add(index.find_guid(lookup.value))
            case "attribute":
                continue
    return frozenset(each for each in guids if each is not None)


def _has_any_pair(
    attributes: Mapping[str, Sequence[bytes]], pairs: AbstractSet[tuple[str, str]]
) -> bool:
    return bool(pairs) and any(
        (name, directory_entries.decode_value(name, value).casefold()) in pairs
        for name, values in attributes.items()
        for value in values
    )


def find_by_lookups(
    path: Path, index: LdifIndex, *, lookups: Sequence[Lookup], names: Sequence[str]
) -> Generator[DirectoryEntry, None, None]:
    """Yield the entries that the lookups name, in one pass for all of them."""
    pattern = attribute_pattern({*ALWAYS_READ, *names})
    guids = _lookup_guids(index, lookups)
    pairs = {
        ((each.attribute or "").lower(), each.value.casefold())
        for each in lookups
        if each.by == "attribute"
    }
    key_pattern = attribute_pattern({"objectguid", *(name for name, _ in pairs)})
    for record in read_entries(path):
        keys = record.attribute_values(key_pattern)
        if keys["objectguid"][0] in guids or _has_any_pair(keys, pairs):
            yield _to_directory_entry(record, index, pattern)


@dataclass
class _GroupLevel:
    """The members of some groups; `relative_ids` are those of the groups themselves.

    Objects whose primaryGroupID is one of them are members too.
    """

    members: set[str] = field(default_factory=set)
    foreign_members: set[ForeignMember] = field(default_factory=set)
    relative_ids: set[bytes] = field(default_factory=set)
    has_group_without_members: bool = False

    def merge(self, other: _GroupLevel) -> None:
        self.members |= other.members
        self.foreign_members |= other.foreign_members
        self.has_group_without_members |= other.has_group_without_members


def _relative_ids(sids: Iterable[bytes]) -> Iterator[bytes]:
    for each in sids:
        if id_ := directory_entries.relative_id(directory_entries.format_sid(each)):
            yield id_.encode()


@dataclass(frozen=True)
class MembersReader:
    """Reads groups of one domain; `domain` is in lower case."""

    path: Path
    index: LdifIndex
    domain: str

    def read_group(self, dn: str, *, nested: bool) -> GroupMembers:
        """Return the members of a group.

        They are complete only if every group shows members: an export does not show
        whether a group is empty or its members were hidden.
        """
        head = self.index.find_guid(dn)
        frontier = frozenset() if head is None else frozenset({head})
        seen = frontier
        total = _GroupLevel()
        while frontier:
            level = self._read_level(frontier)
            total.merge(level)
            below = frozenset(uuid.UUID(each).bytes_le for each in level.members)
            frontier = below - seen if nested else frozenset()
            seen |= below
        return GroupMembers(
            frozenset(total.members),
            is_complete=self.index.complete and not total.has_group_without_members,
            foreign=frozenset(total.foreign_members),
        )

    def _read_level(self, groups: AbstractSet[bytes]) -> _GroupLevel:
        """Return the members of the objects that are groups."""
        level = _GroupLevel()
        for record in read_entries(self.path):
            if record.attribute_values(_GUID_PATTERN)["objectguid"][0] in groups:
                self._add_group(record, level)
        level.members.update(self._primary_members(level.relative_ids))
        return level

    def _add_group(self, record: LdifEntry, level: _GroupLevel) -> None:
        attributes = record.attribute_values(_GROUP_PATTERN)
        classes = {each.strip().lower() for each in attributes["objectclass"]}
        if b"group" not in classes:
            return
        dns = [each.decode(errors="replace") for each in attributes.get("member", ())]
        foreign = [
            each for each in dns if find_domain_name(each) not in {self.domain, None}
        ]
        level.foreign_members.update(
            ForeignMember(each, self._find_guid(each)) for each in foreign
        )
        own = filter(None, map(self._find_guid, set(dns).difference(foreign)))
        level.members.update(known := frozenset(own))
        level.has_group_without_members |= not known and not foreign
        level.relative_ids.update(_relative_ids(attributes.get("objectsid", ())))

    def _find_guid(self, dn: str) -> str | None:
        raw = self.index.find_guid(dn)
        return None if raw is None else directory_entries.format_guid(raw)

    def _primary_members(self, ids: AbstractSet[bytes]) -> Iterator[str]:
        """Yield the objects whose primary group has one of these relative ids."""
        for record in read_entries(self.path) if ids else ():
            attributes = record.attribute_values(_PRIMARY_GROUP_PATTERN)
            if ids.isdisjoint(attributes.get("primarygroupid", ())):
                continue
            if find_domain_name(record.dn) == self.domain:
                yield directory_entries.format_guid(attributes["objectguid"][0])
