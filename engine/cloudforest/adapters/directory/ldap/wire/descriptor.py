"""Who may read properties of an object, by its security descriptor ([MS-DTYP] 2.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from cloudforest.adapters.directory.values import guid_text, sid_text

READ_PROPERTY = 0x10
_GENERIC = 0x80000000 | 0x10000000
"""GENERIC_READ and GENERIC_ALL, which a directory should have mapped before."""
_DACL_PRESENT = 0x0004
_INHERIT_ONLY = 0x08
_HAS_TYPE, _HAS_INHERITED_TYPE = 1, 2
_ALLOWED, _DENIED = {0x00, 0x05}, {0x01, 0x06, 0x0A, 0x0C}
_CONDITIONAL = {0x09, 0x0B}
"""Entries that allow if a condition holds, which is not evaluated: they prove none."""
_OF_OBJECTS = {0x05, 0x06, 0x0B, 0x0C}
_GUID_BYTES, _SID_HEAD = 16, 8


@dataclass(frozen=True)
class Entry:
    """One entry about reading. `about`: an attribute, a property set, or None: all."""

    allows: bool
    trustee: str
    about: str | None


def _access_list(raw: bytes) -> bytes:
    control, start = struct.unpack_from("<H12xI", raw, 2)
    if not control & _DACL_PRESENT or not start:
        raise ValueError("The security descriptor shows no DACL.")
    return raw[start:]


def _parts(raw: bytes) -> Iterator[bytes]:
    size, count = struct.unpack_from("<2xHH", raw)
    start = 8
    for _ in range(count):
        (length,) = struct.unpack_from("<2xH", raw, start)
        if length < _SID_HEAD or start + length > min(size, len(raw)):
            raise ValueError("An entry of the DACL is cut off.")
        yield raw[start : start + length]
        start += length


def _subject(kind: int, ace: bytes) -> tuple[str | None, bytes]:
    """Return what an entry is about, and what follows: the SID of whom it concerns."""
    if kind not in _OF_OBJECTS:
        return None, ace[8:]
    (flags,) = struct.unpack_from("<I", ace, 8)
    after = 12 + _GUID_BYTES * bool(flags & _HAS_TYPE)
    about = guid_text(ace[12:after]) if flags & _HAS_TYPE else None
    return about, ace[after + _GUID_BYTES * bool(flags & _HAS_INHERITED_TYPE) :]


def _trustee(raw: bytes) -> str:
    # A condition may follow.
    sid = raw[: _SID_HEAD + 4 * raw[1]] if len(raw) >= _SID_HEAD else b""
    if len(sid) != _SID_HEAD + 4 * (sid[1] if sid else 0):
        raise ValueError("An entry of the DACL names no SID.")
    return sid_text(sid)


def _entry(ace: bytes) -> Entry | None:
    kind, flags, _, mask = struct.unpack_from("<BBHI", ace)
    if kind not in _ALLOWED | _DENIED | _CONDITIONAL:
        raise ValueError(f"Entries of type {kind} are not understood.")
    reading = READ_PROPERTY | (_GENERIC if kind in _DENIED else 0)
    if flags & _INHERIT_ONLY or kind in _CONDITIONAL or not mask & reading:
        return None
    about, sid = _subject(kind, ace)
    return Entry(kind in _ALLOWED, _trustee(sid), about)


def entries(raw: bytes) -> list[Entry]:
    """Return the entries that grant or deny the reading of properties.

    Raises ValueError for a descriptor without a DACL, and for all that is not
    understood.
    """
    try:
        return [each for ace in _parts(_access_list(raw)) if (each := _entry(ace))]
    except struct.error as error:
        raise ValueError("The security descriptor is cut off.") from error


def may_read(
    held: Sequence[Entry], token: AbstractSet[str], about: AbstractSet[str]
) -> bool:
    """Tell whether an account with these SIDs certainly reads an attribute.

    `about` are the GUIDs of the attribute and of its property set. Stricter than [MS-
    ADTS] 5.1.3.3: one entry that denies is enough, wherever it stands.
    """
    meant = [
        each.allows
        for each in held
        if each.trustee in token and (each.about is None or each.about in about)
    ]
    return bool(meant) and all(meant)
