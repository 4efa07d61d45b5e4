"""Find entries and group members in an LDIF file.

A search is one pass over the file, a level of nested groups two.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
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
from cloudforest.program.scoping.dn import find_domain_name, parse_dn_or_none

_CONTAINER_CLASSES = frozenset(map(str.lower, directory_entries.CONTAINER_CLASSES))
_KEYWORD_ATTRIBUTES = frozenset({"objectclass", "isdeleted"})
_SINGLE_REFERENCES = directory_entries.REFERENCE_ATTRIBUTES - {"member"}
"""References other than members, which must not be cleared because of a missing DN."""

_PARENT = re.compile(r"[^\\,]*(?:\\.[^\\,]*)*,(.*)", re.DOTALL)
"""The part of a DN after the first comma that is not escaped."""
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
    names = parse_dn_or_none(dn)
    return bool(names and names[-1].startswith("dc="))


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


def _to_directory_entry(
    record: LdifEntry, index: LdifIndex, pattern: BytesPattern
) -> DirectoryEntry:
    dn = record.dn
    attributes = {
        name: _decode_values(name, raw, index)
        for name, raw in record.attribute_values(pattern).items()
    }
    below = _PARENT.fullmatch(dn)
    parent = index.find_guid(below[1] if below else "")
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


def _find_guid(lookup: Lookup, index: LdifIndex) -> bytes | None:
    if lookup.by == "dn":
        return index.find_guid(lookup.value)
    guid = directory_entries.parse_guid(lookup.value) if lookup.by == "guid" else None
    return None if guid is None else guid.bytes_le


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
    guids = {_find_guid(each, index) for each in lookups}
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
class _MembersReader:
    """Collects the members of groups; objectGUIDs are bytes, as in the index."""

    path: Path
    index: LdifIndex
    domain: str
    members: set[bytes] = field(default_factory=set)
    foreign_members: set[ForeignMember] = field(default_factory=set)
    has_group_without_members: bool = False

    def read_level(self, groups: AbstractSet[bytes]) -> set[bytes]:
        """Return the members of the objects that are groups.

        Objects whose primaryGroupID is the relative id of one of them are members too.
        """
        found: set[bytes] = set()
        relative_ids: set[bytes] = set()
        for record in read_entries(self.path):
            if record.attribute_values(_GUID_PATTERN)["objectguid"][0] not in groups:
                continue
            attributes = record.attribute_values(_GROUP_PATTERN)
            if b"group" in {each.strip().lower() for each in attributes["objectclass"]}:
                found |= self._add_group(attributes.get("member", ()))
                sids = map(
                    directory_entries.format_sid, attributes.get("objectsid", ())
                )
                ids = filter(None, map(directory_entries.relative_id, sids))
                relative_ids.update(map(str.encode, ids))
        found.update(self._primary_members(relative_ids))
        self.members |= found
        return found

    def _add_group(self, values: Sequence[bytes]) -> set[bytes]:
        """Add the members of other domains; return those of this one."""
        dns = {each.decode(errors="replace") for each in values}
        own = {dn for dn in dns if find_domain_name(dn) in {self.domain, None}}
        for dn in dns - own:
            guid = self.index.find_guid(dn)
            text = None if guid is None else directory_entries.format_guid(guid)
            self.foreign_members.add(ForeignMember(dn, text))
        known = {guid for dn in own if (guid := self.index.find_guid(dn)) is not None}
        self.has_group_without_members |= not known and own == dns
        return known

    def _primary_members(self, ids: AbstractSet[bytes]) -> Iterator[bytes]:
        """Yield the objects whose primary group has one of these relative ids."""
        for record in read_entries(self.path) if ids else ():
            attributes = record.attribute_values(_PRIMARY_GROUP_PATTERN)
            if ids.isdisjoint(attributes.get("primarygroupid", ())):
                continue
            if find_domain_name(record.dn) == self.domain:
                yield attributes["objectguid"][0]


def read_members(
    path: Path, index: LdifIndex, domain: str, group: str, *, nested: bool
) -> GroupMembers:
    """Return the members of a group; `domain` is in lower case.

    They are complete only if every group shows members: an export does not show whether
    a group is empty or its members were hidden.
    """
    reader = _MembersReader(path, index, domain)
    head = index.find_guid(group)
    level = set() if head is None else {head}
    seen = set(level)
    while level:
        found = reader.read_level(level)
        level = found - seen if nested else set()
        seen |= found
    return GroupMembers(
        frozenset(map(directory_entries.format_guid, reader.members)),
        is_complete=index.complete and not reader.has_group_without_members,
        foreign=frozenset(reader.foreign_members),
    )
