"""Decide by an object's DACL whether a missing attribute is empty or hidden.

Neither answers nor filters show the difference: a hidden value counts as one that does
not exist ([MS-ADTS] 3.1.1.4.3), and a delta names a hidden attribute that changed
without values, like a cleared one (measured on Samba). The DACL is in the object's
security descriptor ([MS-DTYP] 2.4).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cloudforest.adapters.directory_entries import format_guid, format_sid
from cloudforest.adapters.ldap import filters, search
from cloudforest.adapters.ldap.ber import DACL, SearchResultEntry
from cloudforest.adapters.ldap.session import SUBTREE, Session
from cloudforest.model.messages import Lookup

READ_PROPERTY = 0x10
_GENERIC = 0x80000000 | 0x10000000
"""GENERIC_READ and GENERIC_ALL, which a directory should have mapped already."""
_DACL_PRESENT = 0x0004
_INHERIT_ONLY = 0x08
_HAS_TYPE, _HAS_INHERITED_TYPE = 1, 2
_ALLOWED, _DENIED = {0x00, 0x05}, {0x01, 0x06, 0x0A, 0x0C}
_CONDITIONAL = {0x09, 0x0B}
"""Entries that allow under a condition; we don't evaluate it, so they prove nothing."""
_OBJECT_ACES = {0x05, 0x06, 0x0B, 0x0C}
_GUID_BYTES, _SID_HEAD = 16, 8

_DESCRIPTOR = "ntsecuritydescriptor"
_CONFIDENTIAL = 0x80
"""A bit of searchFlags ([MS-ADTS] 2.2.9): reading the attribute needs another right."""


@dataclass(frozen=True)
class AccessControlEntry:
    """An entry about reading.

    `object_type_guid` is the GUID of an attribute or a property set; None means all.
    """

    allows: bool
    trustee: str
    object_type_guid: str | None


def _split_aces(descriptor: bytes) -> Iterator[bytes]:
    control, start = struct.unpack_from("<H12xI", descriptor, 2)
    if not control & _DACL_PRESENT or not start:
        raise ValueError("The security descriptor has no DACL.")
    raw = descriptor[start:]
    size, count = struct.unpack_from("<2xHH", raw)
    start = 8
    for _ in range(count):
        (length,) = struct.unpack_from("<2xH", raw, start)
        if length < _SID_HEAD or start + length > min(size, len(raw)):
            raise ValueError("An entry of the DACL is cut off.")
        yield raw[start : start + length]
        start += length


def _read_object_type(kind: int, ace: bytes) -> tuple[str | None, bytes]:
    """Return the GUID of the object type, and the rest, which starts with the SID."""
    if kind not in _OBJECT_ACES:
        return None, ace[8:]
    (flags,) = struct.unpack_from("<I", ace, 8)
    after = 12 + _GUID_BYTES * bool(flags & _HAS_TYPE)
    guid = format_guid(ace[12:after]) if flags & _HAS_TYPE else None
    return guid, ace[after + _GUID_BYTES * bool(flags & _HAS_INHERITED_TYPE) :]


def _read_trustee(raw: bytes) -> str:
    # A condition may follow.
    sid = raw[: _SID_HEAD + 4 * raw[1]] if len(raw) >= _SID_HEAD else b""
    if len(sid) != _SID_HEAD + 4 * (sid[1] if sid else 0):
        raise ValueError("An entry of the DACL has no SID.")
    return format_sid(sid)


def _read_ace(ace: bytes) -> AccessControlEntry | None:
    kind, flags, _, mask = struct.unpack_from("<BBHI", ace)
    if kind not in _ALLOWED | _DENIED | _CONDITIONAL:
        raise ValueError(f"The DACL has an entry of the unknown type {kind}.")
    reading = READ_PROPERTY | (_GENERIC if kind in _DENIED else 0)
    if flags & _INHERIT_ONLY or kind in _CONDITIONAL or not mask & reading:
        return None
    guid, sid = _read_object_type(kind, ace)
    return AccessControlEntry(kind in _ALLOWED, _read_trustee(sid), guid)


def read_aces(raw: bytes) -> list[AccessControlEntry]:
    """Return the entries that allow or deny reading properties.

    Raises ValueError for a descriptor without a DACL, or with unknown content.
    """
    try:
        return [each for ace in _split_aces(raw) if (each := _read_ace(ace))]
    except struct.error as error:
        raise ValueError("The security descriptor is cut off.") from error


def is_readable(
    aces: Sequence[AccessControlEntry],
    sids: AbstractSet[str],
    attribute_guids: AbstractSet[str],
) -> bool:
    """Return whether an account with these SIDs can certainly read an attribute.

    `attribute_guids` are those of the attribute and of its property set. This is
    stricter than [MS-ADTS] 5.1.3.3: one denying entry is enough, wherever it stands.
    """
    verdicts = [
        each.allows
        for each in aces
        if each.trustee in sids
        and (each.object_type_guid is None or each.object_type_guid in attribute_guids)
    ]
    return bool(verdicts) and all(verdicts)


def _readable_attributes(
    descriptors: Sequence[bytes],
    sids: AbstractSet[str],
    schema_guids: Mapping[str, AbstractSet[str]],
) -> frozenset[str]:
    try:
        aces = [each for descriptor in descriptors for each in read_aces(descriptor)]
    except ValueError:
        return frozenset()
    return frozenset(
        name for name, guids in schema_guids.items() if is_readable(aces, sids, guids)
    )


def _search_objects(
    session: Session, base: str, filter_text: str, names: Sequence[str]
) -> Iterator[SearchResultEntry]:
    return search.search_entries(
        session,
        base,
        SUBTREE,
        filter=filter_text,
        attributes=names,
        controls=[DACL],
    )


def _read_schema_guids(
    session: Session, schema: str, names: Sequence[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the attributes that are not confidential, each with its GUIDs."""
    lookups = [
        Lookup(by="attribute", attribute="lDAPDisplayName", value=each)
        for each in names
    ]
    guid_attributes = ("schemaidguid", "attributesecurityguid")
    requested = ["lDAPDisplayName", "searchFlags", *guid_attributes]
    filter_text = filters.lookups_filter(lookups) or ""
    for raw in _search_objects(session, schema, filter_text, requested):
        attributes = raw.attributes
        flags = int((attributes.get("searchflags") or [b"0"])[0])
        guids = [each for name in guid_attributes for each in attributes.get(name, [])]
        if not flags & _CONFIDENTIAL and attributes.get("ldapdisplayname"):
            name = attributes["ldapdisplayname"][0].decode().lower()
            yield name, frozenset(map(format_guid, guids))


def _read_account_access(
    session: Session, names: Sequence[str]
) -> tuple[frozenset[str], dict[str, frozenset[str]]]:
    """Return the account's SIDs ([MS-ADTS] 3.1.1.3.2), and the GUIDs of attributes."""
    root = search.read_object(session, "", ["schemaNamingContext", "tokenGroups"]) or {}
    sids = frozenset(map(format_sid, root.get("tokengroups", [])))
    schema = (root.get("schemanamingcontext") or [b""])[0].decode()
    if not sids or not schema:
        return frozenset(), {}
    return sids, dict(_read_schema_guids(session, schema, names))


def find_proven_clear(
    session: Session, base: str, *, guids: Sequence[str], names: Sequence[str]
) -> dict[str, frozenset[str]]:
    """Return, by objectGUID, the attributes that are readable and have no values.

    `names` are in lower case.
    """
    if not guids or not names:
        return {}
    sids, schema_guids = _read_account_access(session, names)
    requested = ["objectGUID", _DESCRIPTOR, *schema_guids]
    proven: dict[str, frozenset[str]] = {}
    for batch in search.in_batches(guids):
        text = filters.lookups_filter([Lookup(by="guid", value=each) for each in batch])
        for raw in _search_objects(session, base, text, requested) if text else ():
            # A long list of values has a range in its name.
            shown = {name.partition(";")[0] for name in raw.attributes}
            readable = _readable_attributes(
                raw.attributes.get(_DESCRIPTOR, []), sids, schema_guids
            )
            for guid in raw.attributes.get("objectguid", []):
                proven[format_guid(guid)] = readable - shown
    return proven
