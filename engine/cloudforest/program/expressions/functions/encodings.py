"""Functions on encoded values: base64, hexadecimal, SIDs and distinguished names."""

from __future__ import annotations

import base64
import binascii
import re

from cloudforest.program.expressions.functions.values import (
    Value,
    integer,
    require_room,
    text,
)
from cloudforest.program.faults import ValueFault

CODECS = {"Unicode": "utf-16-le", "ASCII": "ascii", "UTF8": "utf-8"}
"""The documented names of encodings."""

_SID = re.compile(r"S-[0-9]+-[0-9]+(-[0-9]+){0,15}")
_SID_HEAD = 8
_DN_ESCAPE = re.compile(r"\\(?:([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_DN_PART = re.compile(r"(?:[^,;+\\]|\\.)+", re.DOTALL)


def from_base64(source: str, encoding: Value = None) -> str:
    codec = CODECS.get(text(encoding) or "Unicode")
    if codec is None:
        raise ValueFault("ConvertFromBase64 knows the encodings Unicode, ASCII, UTF8.")
    try:
        return base64.b64decode(source, validate=True).decode(codec)
    except (binascii.Error, ValueError) as error:
        raise ValueFault("The value is not base64 of a text so encoded.") from error


def _encoded(source: str, codec: str) -> bytes:
    """Encode; what is no character (a lone surrogate) becomes a question mark."""
    require_room(2 * len(source))
    return source.encode(codec, errors="replace")


def to_base64(source: str) -> str:
    return base64.b64encode(_encoded(source, "utf-16-le")).decode()


def to_utf8_hex(source: str) -> str:
    return _encoded(source, "utf-8").hex().upper()


def _raw_sid(source: str) -> bytes:
    """Read the hexadecimal or base64 form of a binary SID."""
    try:
        return bytes.fromhex(source)
    except ValueError:
        pass
    try:
        return base64.b64decode(source, validate=True)
    except (binascii.Error, ValueError):
        return b""


def sid(source: str) -> str:
    """Return a SID as S-R-A-S… ([MS-DTYP] 2.4.2.1); agents send it so already."""
    if not source or _SID.fullmatch(source):
        return source
    raw = _raw_sid(source)
    if len(raw) < _SID_HEAD or len(raw) != _SID_HEAD + 4 * raw[1]:
        raise ValueFault("The value is not a security identifier.")
    authority = int.from_bytes(raw[2:8], "big")
    parts = (
        int.from_bytes(raw[at : at + 4], "little")
        for at in range(_SID_HEAD, len(raw), 4)
    )
    return "-".join(["S", str(raw[0]), str(authority), *map(str, parts)])


def _unescaped(value: str) -> str:
    """Undo the escapes of RFC 4514; those of one character may come in several."""
    raw = bytearray()
    end = 0
    for found in _DN_ESCAPE.finditer(value):
        raw += value[end : found.start()].encode(errors="replace")
        code, plain = found.groups()
        raw += bytes.fromhex(code) if code else plain.encode(errors="replace")
        end = found.end()
    return (raw + value[end:].encode(errors="replace")).decode(errors="replace")


def dn_component(reference: Value, index: Value) -> Value:
    """Return the value of a component, counted from 1 from the left; null: none."""
    wanted = integer(index)
    if wanted < 1:
        raise ValueFault("DNComponent counts components from 1.")
    parts = _DN_PART.findall(text(reference))
    if wanted > len(parts):
        return None
    _, mark, value = parts[wanted - 1].partition("=")
    return _unescaped(value.strip()) if mark else None
