"""Functions on encoded values: base64, hexadecimal, SIDs, DNs and diacritics."""

from __future__ import annotations

import base64
import re
import unicodedata
from contextlib import suppress

from cloudforest.program.expressions.function import FunctionTable, Parameter
from cloudforest.program.expressions.values import (
    Value,
    as_integer,
    as_text,
    require_length,
)
from cloudforest.program.faults import ValueFault

CODECS = {"Unicode": "utf-16-le", "ASCII": "ascii", "UTF8": "utf-8"}
"""The documented names of encodings."""
TABLE = FunctionTable()
_SOURCE = Parameter("source", "values")
_SID = re.compile(r"S-[0-9]+-[0-9]+(-[0-9]+){0,15}")
_SID_HEAD = 8
_DN_ESCAPE = re.compile(r"\\(?:([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_DN_PART = re.compile(r"(?:[^,;+\\]|\\.)+", re.DOTALL)
_MARKED_BY_PLAIN = {
    "a": "ä à â ã å á ą ă ā ā́ ā̀ ā̂ ā̃ ǟ ā̈ ǡ a̱ å̄",
    "ae": "æ ǣ",
    "c": "ç č ć c̄ c̱",
    "d": "ď d̄ ḏ",
    "e": "ë è é ê ę ě ė ē ḗ ḕ ē̂ ē̃ ê̄ e̱ ë̄ e̊̄",
    "g": "ğ ḡ g̱",
    "i": "ï î ì í ī ī́ ī̀ ī̂ ī̃ i̱",
    "l": "ľ ł l̄ ḹ ḻ",
    "n": "ñ ń ň n̄ ṉ",
    "o": "ö ò ő õ ô ó ō ṓ ṑ ō̂ ō̃ ȫ ō̈ ǭ ȭ ȱ o̱",
    "oe": "ø ø̄ œ̄",
    "r": "ř r̄ ṟ ṝ",
    "s": "š ś ș ş s̄ s̱",
    "t": "ť ț t̄ ṯ",
    "u": "ü ù û ú ů ű ū ū́ ū̀ ū̂ ū̃ u̇̄ ǖ ṻ ṳ̄ u̱",
    "y": "ÿ ý ȳ ȳ́ ȳ̀ ȳ̃ y̱",
    "z": "ź ž ż z̄ ẕ",
}
"""The documented letters, in lower case; other characters stay unchanged."""
_PLAIN_BY_MARKED = {"ß": "ss", "\u0131": "i", "İ": "I"} | {
    unicodedata.normalize("NFC", marked): plain
    for lower, several in _MARKED_BY_PLAIN.items()
    for plain, marks in ((lower, several), (lower.upper(), several.upper()))
    for marked in marks.split()
}
_LONGEST_FIRST = sorted(map(re.escape, _PLAIN_BY_MARKED), key=len, reverse=True)
_MARKED = re.compile("|".join(_LONGEST_FIRST))


@TABLE.per_text(
    "ConvertFromBase64",
    _SOURCE,
    Parameter("encoding", "text", optional=True, choice=tuple(CODECS)),
)
def from_base64(source: str, encoding: Value = None) -> str:
    """Decode a base64 text; the default encoding is UTF-16."""
    codec = CODECS.get(as_text(encoding) or "Unicode")
    if codec is None:
        raise ValueFault(
            f"ConvertFromBase64 supports the encodings {', '.join(CODECS)}."
        )
    try:
        return base64.b64decode(source, validate=True).decode(codec)
    except ValueError as error:
        raise ValueFault("The value is not base64, or not in this encoding.") from error


def _encode(source: str, codec: str) -> bytes:
    """Encode a text; a lone surrogate becomes a question mark."""
    require_length(2 * len(source))
    return source.encode(codec, errors="replace")


@TABLE.per_text("ConvertToBase64", _SOURCE)
def to_base64(source: str) -> str:
    """Encode a text in base64, as UTF-16."""
    return base64.b64encode(_encode(source, "utf-16-le")).decode()


@TABLE.per_text("ConvertToUTF8Hex", _SOURCE)
def to_utf8_hex(source: str) -> str:
    """Encode a text in hexadecimal, as UTF-8."""
    return _encode(source, "utf-8").hex().upper()


def _raw_sid(source: str) -> bytes:
    """Read the hexadecimal or base64 form of a binary SID."""
    with suppress(ValueError):
        return bytes.fromhex(source)
    with suppress(ValueError):
        return base64.b64decode(source, validate=True)
    return b""


@TABLE.per_text("StringFromSid", Parameter("objectSid", "values"))
def format_sid(source: str) -> str:
    """Convert a security identifier (SID) to its text, S-1-5-….

    The text ([MS-DTYP] 2.4.2.1) is how agents send a SID.
    """
    if not source or _SID.fullmatch(source):
        return source
    raw = _raw_sid(source)
    if len(raw) < _SID_HEAD or len(raw) != _SID_HEAD + 4 * raw[1]:
        raise ValueFault("The value is not a security identifier.")
    authority = int.from_bytes(raw[2:8], "big")
    words = (raw[at : at + 4] for at in range(_SID_HEAD, len(raw), 4))
    parts = (int.from_bytes(each, "little") for each in words)
    return "-".join(["S", str(raw[0]), str(authority), *map(str, parts)])


def _unescape_dn_value(value: str) -> str:
    """Undo the escapes of RFC 4514; one character may need several."""
    raw = bytearray()
    end = 0
    for found in _DN_ESCAPE.finditer(value):
        raw += value[end : found.start()].encode(errors="replace")
        code, plain = found.groups()
        raw += bytes.fromhex(code) if code else plain.encode(errors="replace")
        end = found.end()
    return (raw + value[end:].encode(errors="replace")).decode(errors="replace")


@TABLE.eager(
    "DNComponent",
    Parameter("reference", "reference"),
    Parameter("number", "number"),
    gives="text",
)
def dn_component(reference: Value, index: Value) -> Value:
    """Return the value of a component of a DN, counted from 1 from the left."""
    position = as_integer(index)
    if position < 1:
        raise ValueFault("DNComponent counts components from 1.")
    parts = _DN_PART.findall(as_text(reference))
    if position > len(parts):
        return None
    _, mark, value = parts[position - 1].partition("=")
    return _unescape_dn_value(value.strip()) if mark else None


@TABLE.per_text("NormalizeDiacritics", _SOURCE)
def normalize_diacritics(text: str) -> str:
    """Replace letters with diacritics by plain ones, for example é by e."""
    if text.isascii():
        return text
    require_length(len(text))
    composed = unicodedata.normalize("NFC", text)
    return _MARKED.sub(lambda found: _PLAIN_BY_MARKED[found[0]], composed)
