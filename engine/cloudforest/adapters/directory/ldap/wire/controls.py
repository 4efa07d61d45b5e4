"""The LDAP controls that AD reads need, as bytes: a few BER integers and strings."""

from __future__ import annotations

from dataclasses import dataclass

from cloudforest.adapters.directory.ldap.wire.messages import extent

DIRSYNC = "1.2.840.113556.1.4.841"
PAGED = "1.2.840.113556.1.4.319"
_EXTENDED_DN = "1.2.840.113556.1.4.529"
_SHOW_DELETED = "1.2.840.113556.1.4.417"
_SD_FLAGS = "1.2.840.113556.1.4.801"
_NOTIFICATION = "1.2.840.113556.1.4.528"

INCREMENTAL_VALUES = -0x80000000
"""[MS-ADTS] 3.1.1.3.4.1.3 wants 0x80000000 in four bytes, so it is negative in BER."""
OBJECT_SECURITY = 1
_DACL = 4

_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_SHORT = 0x80


@dataclass(frozen=True)
class Control:
    oid: str
    value: bytes | None = None
    critical: bool = True


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < _SHORT:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT | len(digits))) + digits + content


def _sequence(*parts: bytes) -> bytes:
    return _tagged(_SEQUENCE, b"".join(parts))


def _octets(value: bytes) -> bytes:
    return _tagged(_OCTETS, value)


def _integer(value: int) -> bytes:
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return _tagged(_INTEGER, value.to_bytes(size, "big", signed=True))


def dirsync(flags: int, cookie: bytes) -> Control:
    """Return the request for changes; the controller chooses the size of its pages."""
    return Control(DIRSYNC, _sequence(_integer(flags), _integer(0), _octets(cookie)))


def _parts(sequence: bytes) -> list[bytes]:
    start, end = extent(sequence, 0)
    parts = []
    while start < end:
        inner, stop = extent(sequence, start)
        parts.append(sequence[inner:stop])
        start = stop
    return parts


def dirsync_reply(value: bytes) -> tuple[bool, bytes]:
    """Return whether more results wait, and the new cookie."""
    more, _, cookie = _parts(value)
    return int.from_bytes(more, "big", signed=True) != 0, cookie


def paged(size: int, cookie: bytes) -> Control:
    """Return the request for one page of simple paged results (RFC 2696)."""
    return Control(PAGED, _sequence(_integer(size), _octets(cookie)))


def paged_cookie(value: bytes) -> bytes:
    """Return the cookie of the next page; empty after the last one."""
    return _parts(value)[1]


def extended_dn() -> Control:
    """Ask for DNs as <GUID=…>;<SID=…>;DN with the GUID in its usual text."""
    return Control(_EXTENDED_DN, _sequence(_integer(1)))


def show_deleted() -> Control:
    return Control(_SHOW_DELETED)


def access_list() -> Control:
    """Ask for the DACL alone: the whole descriptor takes the right to see audits."""
    return Control(_SD_FLAGS, _sequence(_integer(_DACL)))


def notification() -> Control:
    return Control(_NOTIFICATION)
