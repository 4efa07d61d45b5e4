"""Whether an attribute without values has none, or is hidden from the account.

Neither the answer nor a filter tells: a hidden value is treated as one that does not
exist ([MS-ADTS] 3.1.1.4.3), and a delta names a hidden attribute that changed without
values, like a cleared one (measured on Samba). The object's DACL does tell.

Who may read properties of an object, by its security descriptor ([MS-DTYP] 2.4).
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cloudforest.adapters import directory_entries
from cloudforest.adapters.directory_entries import format_guid, format_sid
from cloudforest.adapters.ldap import filters, search
from cloudforest.adapters.ldap.ber import (
    SearchResultDone,
    SearchResultEntry,
    dacl_control,
)
from cloudforest.adapters.ldap.session import SUBTREE, Session
from cloudforest.model.messages import Lookup

READ_PROPERTY = 0x10
_GENERIC = 0x80000000 | 0x10000000
"""GENERIC_READ and GENERIC_ALL, which a directory should have mapped before."""
_DACL_PRESENT = 0x0004
_INHERIT_ONLY = 0x08
_HAS_TYPE, _HAS_INHERITED_TYPE = 1, 2
_ALLOWED, _DENIED = {0x00, 0x05}, {0x01, 0x06, 0x0A, 0x0C}
_CONDITIONAL = {0x09, 0x0B}
"""Entries that allow if a condition holds, which is not evaluated: they prove none."""
_OBJECT_ACES = {0x05, 0x06, 0x0B, 0x0C}
_GUID_BYTES, _SID_HEAD = 16, 8


@dataclass(frozen=True)
class AccessControlEntry:
    """One entry about reading. `about`: an attribute, a property set, or None: all."""

    allows: bool
    trustee: str
    object_type_guid: str | None


def _find_dacl(raw: bytes) -> bytes:
    control, start = struct.unpack_from("<H12xI", raw, 2)
    if not control & _DACL_PRESENT or not start:
        raise ValueError("The security descriptor shows no DACL.")
    return raw[start:]


def _split_aces(raw: bytes) -> Iterator[bytes]:
    size, count = struct.unpack_from("<2xHH", raw)
    start = 8
    for _ in range(count):
        (length,) = struct.unpack_from("<2xH", raw, start)
        if length < _SID_HEAD or start + length > min(size, len(raw)):
            raise ValueError("An entry of the DACL is cut off.")
        yield raw[start : start + length]
        start += length


def _read_object_type(kind: int, ace: bytes) -> tuple[str | None, bytes]:
    """Return what an entry is about, and what follows: the SID of whom it concerns."""
    if kind not in _OBJECT_ACES:
        return None, ace[8:]
    (flags,) = struct.unpack_from("<I", ace, 8)
    after = 12 + _GUID_BYTES * bool(flags & _HAS_TYPE)
    about = format_guid(ace[12:after]) if flags & _HAS_TYPE else None
    return about, ace[after + _GUID_BYTES * bool(flags & _HAS_INHERITED_TYPE) :]


def _read_trustee(raw: bytes) -> str:
    # A condition may follow.
    sid = raw[: _SID_HEAD + 4 * raw[1]] if len(raw) >= _SID_HEAD else b""
    if len(sid) != _SID_HEAD + 4 * (sid[1] if sid else 0):
        raise ValueError("An entry of the DACL names no SID.")
    return format_sid(sid)


def _read_ace(ace: bytes) -> AccessControlEntry | None:
    kind, flags, _, mask = struct.unpack_from("<BBHI", ace)
    if kind not in _ALLOWED | _DENIED | _CONDITIONAL:
        raise ValueError(f"Entries of type {kind} are not understood.")
    reading = READ_PROPERTY | (_GENERIC if kind in _DENIED else 0)
    if flags & _INHERIT_ONLY or kind in _CONDITIONAL or not mask & reading:
        return None
    about, sid = _read_object_type(kind, ace)
    return AccessControlEntry(kind in _ALLOWED, _read_trustee(sid), about)


def read_aces(raw: bytes) -> list[AccessControlEntry]:
    """Return the entries that grant or deny the reading of properties.

    Raises ValueError for a descriptor without a DACL, and for all that is not
    understood.
    """
    try:
        return [
            each for ace in _split_aces(_find_dacl(raw)) if (each := _read_ace(ace))
        ]
    except struct.error as error:
        raise ValueError("The security descriptor is cut off.") from error


def is_readable(
    aces: Sequence[AccessControlEntry],
    sids: AbstractSet[str],
    attribute_guids: AbstractSet[str],
) -> bool:
    """Tell whether an account with these SIDs certainly reads an attribute.

    `about` are the GUIDs of the attribute and of its property set. Stricter than [MS-
    ADTS] 5.1.3.3: one entry that denies is enough, wherever it stands.
    """
    meant = [
        each.allows
        for each in aces
        if each.trustee in sids
        and (each.object_type_guid is None or each.object_type_guid in attribute_guids)
    ]
    return bool(meant) and all(meant)


_DESCRIPTOR = "ntsecuritydescriptor"
_CONFIDENTIAL = 0x80
"""Of searchFlags ([MS-ADTS] 2.2.9): to read the attribute takes one more right."""


@dataclass(frozen=True)
class _AccountAccess:
    """Whom entries concern, and by which GUIDs they name each attribute."""

    sids: AbstractSet[str]
    schema_guids: Mapping[str, AbstractSet[str]]

    def readable_attributes(self, raw: Sequence[bytes]) -> frozenset[str]:
        try:
            held = [each for one in raw for each in read_aces(one)]
        except ValueError:
            return frozenset()
        return frozenset(
            name
            for name, about in self.schema_guids.items()
            if is_readable(held, self.sids, about)
        )


def _search_objects(
    session: Session, base: str, filter_text: str, names: Sequence[str]
) -> Generator[SearchResultEntry, None, SearchResultDone]:
    asked = session.search(
        base, SUBTREE, filter=filter_text, attributes=names, controls=[dacl_control()]
    )
    return search.require_success(asked, session)


def _read_schema_guids(
    session: Session, schema: str, names: Sequence[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each attribute of the schema that is not confidential, and its GUIDs."""
    lookups = [
        Lookup(by="attribute", attribute="lDAPDisplayName", value=each)
        for each in names
    ]
    sets = ("schemaidguid", "attributesecurityguid")
    asked = ["lDAPDisplayName", "searchFlags", *sets]
    for raw in _search_objects(
        session, schema, filters.lookups_filter(lookups) or "", asked
    ):
        held = raw.attributes
        flags = int((held.get("searchflags") or [b"0"])[0])
        guids = [each for name in sets for each in held.get(name, [])]
        if not flags & _CONFIDENTIAL and held.get("ldapdisplayname"):
            name = held["ldapdisplayname"][0].decode().lower()
            yield name, frozenset(map(directory_entries.format_guid, guids))


def _read_account_access(session: Session, names: Sequence[str]) -> _AccountAccess:
    """Return what the controller says of the account ([MS-ADTS] 3.1.1.3.2)."""
    root = search.read_object(session, "", ["schemaNamingContext", "tokenGroups"]) or {}
    sids = [directory_entries.format_sid(each) for each in root.get("tokengroups", [])]
    schema = (root.get("schemanamingcontext") or [b""])[0].decode()
    if not sids or not schema:
        return _AccountAccess(frozenset(), {})
    return _AccountAccess(
        frozenset(sids), dict(_read_schema_guids(session, schema, names))
    )


def _find_proven_clear_batch(
    session: Session, base: str, account: _AccountAccess, *, guids: Sequence[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    wanted = filters.lookups_filter([Lookup(by="guid", value=guid) for guid in guids])
    asked = ["objectGUID", _DESCRIPTOR, *account.schema_guids]
    for raw in _search_objects(session, base, wanted, asked) if wanted else ():
        held = raw.attributes
        bare = account.readable_attributes(
            held.get(_DESCRIPTOR, [])
        ) - _shown_attributes(held)
        for guid in held.get("objectguid", []):
            yield directory_entries.format_guid(guid), bare


def find_proven_clear(
    session: Session, base: str, *, guids: Sequence[str], names: Sequence[str]
) -> dict[str, frozenset[str]]:
    """Return, by objectGUID, the attributes that can be read and have no values.

    A query for as many objects as one may name; `names` are in lower case.
    """
    if not guids or not names:
        return {}
    account = _read_account_access(session, names)
    return {
        guid: bare
        for start in range(0, len(guids), search.LOOKUPS_PER_QUERY)
        for guid, bare in _find_proven_clear_batch(
            session,
            base,
            account,
            guids=guids[start : start + search.LOOKUPS_PER_QUERY],
        )
    }


def _shown_attributes(held: Mapping[str, Sequence[bytes]]) -> frozenset[str]:
    # A long list of values comes with a range in its name.
    return frozenset(name.partition(";")[0] for name in held)
