"""Values that are stored or sent, their canonical JSON, and YAML text of values.

Nothing here reads YAML.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

_PLAIN_KEY = re.compile(r"[A-Za-z][A-Za-z0-9._:-]*[A-Za-z0-9]|[A-Za-z]")
_PLAIN = re.compile(r"[A-Za-z]([A-Za-z0-9 ._@/-]*[A-Za-z0-9])?")
_RESERVED_WORDS = frozenset(
    {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
)
"""Words that are not text in YAML 1.1 or 1.2."""
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\r": "\\x0d"})


def escape_unprintable(text: str, allowed: str = "") -> str:
    """Write control characters and lone surrogates as Python and YAML escape them."""
    if text.isprintable():
        return text
    return "".join(
        each
        if each.isprintable() or each in allowed
        else each.encode("unicode_escape").decode()
        for each in text
    )


def _quote(text: str) -> str:
    if ('"' in text or "\\" in text) and "'" not in text and text.isprintable():
        return f"'{text}'"
    return f'"{escape_unprintable(text.translate(_ESCAPES))}"'


def yaml_scalar(value: str | float | bool | None) -> str:  # noqa: FBT001 - any of them
    """Return a value on one line, in quotes if YAML could misread it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            plain = _PLAIN.fullmatch(value) and value.lower() not in _RESERVED_WORDS
            return value if plain else _quote(value)
        case _:
            return repr(value)


def yaml_key(name: str) -> str:
    return name if _PLAIN_KEY.fullmatch(name) else _quote(name)


def yaml_flow(value: Any) -> str:
    """Return a value on one line: `{a: 1, b: [x]}`."""
    match value:
        case Mapping():
            entries = (f"{yaml_key(k)}: {yaml_flow(v)}" for k, v in value.items())
            return f"{{{', '.join(entries)}}}"
        case str():
            return yaml_scalar(value)
        case Sequence():
            return f"[{', '.join(map(yaml_flow, value))}]"
        case _:
            return yaml_scalar(value)


def yaml_block(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield one line per key, with indented blocks."""
    for name, each in value.items():
        match each:
            case Mapping() if each:
                yield f"{indent}{yaml_key(name)}:"
                yield from yaml_block(each, f"{indent}  ")
            case str():
                yield f"{indent}{yaml_key(name)}: {yaml_scalar(each)}"
            case Sequence() if each:
                yield f"{indent}{yaml_key(name)}:"
                yield from (f"{indent}  - {yaml_scalar(one)}" for one in each)
            case _:
                yield f"{indent}{yaml_key(name)}: {yaml_flow(each)}"


def canonical_json(value: Any) -> bytes:
    """Encode with sorted keys and without white space: equal values, equal bytes."""
    return msgspec.json.encode(msgspec.to_builtins(value), order="deterministic")


def canonical_digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


class Value(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
):
    """A frozen record with camelCase JSON that is validated when read."""


def describe_value(value: Any) -> str:
    """Return a text, else JSON, with control and invisible characters escaped."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return escape_unprintable(text, "\n\t")


def format_count(number: int, noun: str) -> str:
    """Return `1 request` or `2 requests`; for nouns whose plural adds an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
