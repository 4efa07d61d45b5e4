"""Search answers decoded from BER (RFC 4511 4.5.2): entries, and how the search ended.

ldap3's fast decoder builds a tree of tuples first: a full DirSync of 20,000 people took
4.1 seconds of CPU with it, 2.5 with this.

The LDAP controls that AD reads need, as bytes: a few BER integers and strings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum


class Tag(IntEnum):
    OCTETS = 0x04
    ENTRY = 0x64
    DONE = 0x65
    CONTROLS = 0xA0


@dataclass(frozen=True)
class Raw:
    """An entry as received; attribute names are in lower case."""

    dn: str
    attributes: dict[str, list[bytes]]


@dataclass(frozen=True)
class Ending:
    """The end of a search: its result code, and the values of controls by OID."""

    code: int
    message: str
    controls: dict[str, bytes] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return self.code == 0


def extent(data: bytes | bytearray, start: int) -> tuple[int, int]:
    """Return where the content of the element at `start` begins and ends (X.690 8.1.3).

    Raises IndexError when the data stops before the length does.
    """
    first = data[start + 1]
    if first < _SHORT:
        return start + 2, start + 2 + first
    begin = start + 2 + (first & ~_SHORT)
    if begin > len(data):
        raise IndexError(begin)
    return begin, begin + int.from_bytes(data[start + 2 : begin], "big")


def message_end(data: bytearray, start: int) -> int | None:
    """Return where the message at `start` ends; None when it has not all arrived."""
    try:
        _, end = extent(data, start)
    except IndexError:
        return None
    return end if end <= len(data) else None


def _octet_strings(message: bytes, start: int) -> list[bytes]:
    """Return the strings in a set or a sequence."""
    at, stop = extent(message, start)
    found = []
    while at < stop:
        begin, at = extent(message, at)
        found.append(message[begin:at])
    return found


def _entry(message: bytes, start: int) -> Raw:
    name, at = extent(message, start)
    dn = message[name:at].decode()
    attributes: dict[str, list[bytes]] = {}
    at, stop = extent(message, at)
    while at < stop:
        begin, at_next = extent(message, at)
        begin, end = extent(message, begin)
        attributes[message[begin:end].decode().lower()] = _octet_strings(message, end)
        at = at_next
    return Raw(dn, attributes)


def _controls(message: bytes, start: int) -> Iterator[tuple[str, bytes]]:
    """Yield OID and value; between them may stand how critical the control is."""
    at, stop = extent(message, start)
    while at < stop:
        begin, after = extent(message, at)
        name, end = extent(message, begin)
        value = b""
        part = end
        while part < after:
            inner, part_end = extent(message, part)
            if message[part] == Tag.OCTETS:
                value = message[inner:part_end]
            part = part_end
        yield message[name:end].decode(), value
        at = after


def _ending(message: bytes, start: int, after: int, stop: int) -> Ending:
    begin, end = extent(message, start)
    code = int.from_bytes(message[begin:end], "big")
    _, end = extent(message, end)
    begin, end = extent(message, end)
    text = message[begin:end].decode(errors="replace")
    has_controls = after < stop and message[after] == Tag.CONTROLS
    return Ending(code, text, dict(_controls(message, after)) if has_controls else {})


def decode(message: bytes) -> Raw | Ending | None:
    """Return what a whole message says; None for a referral to another domain."""
    start, stop = extent(message, 0)
    _, operation = extent(message, start)
    inner, after = extent(message, operation)
    match message[operation]:
        case Tag.ENTRY:
            return _entry(message, inner)
        case Tag.DONE:
            return _ending(message, inner, after, stop)
        case _:
            return None


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


def _octet_string(value: bytes) -> bytes:
    return _tagged(_OCTETS, value)


def _integer(value: int) -> bytes:
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return _tagged(_INTEGER, value.to_bytes(size, "big", signed=True))


def dirsync(flags: int, cookie: bytes) -> Control:
    """Return the request for changes; the controller chooses the size of its pages."""
    return Control(
        DIRSYNC, _sequence(_integer(flags), _integer(0), _octet_string(cookie))
    )


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
    return Control(PAGED, _sequence(_integer(size), _octet_string(cookie)))


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
