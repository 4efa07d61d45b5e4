"""What strangers send: read up to limits, decoded with bounded counts, made printable.

A target, a proxy, a directory, an agent and a client of the API are strangers.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, TypeVar

import msgspec

from cloudforest.base.values import escape_unprintable

MAX_INPUT_BYTES = 2**25
"""32 MiB, after decompression."""
MAX_VALUES = 1_000_000
"""Objects, lists and their elements in one JSON text; each takes about 100 bytes."""
MAX_DEPTH = 32
MAX_TEXT = 2000
"""Characters of a text that is shown to people."""

T = TypeVar("T")


class InputRefused(Exception):  # noqa: N818 - named for what happened
    """The input is over a limit; the message completes "it sent …"."""


class MalformedInput(InputRefused):
    """The input is not of the type that was expected."""


async def read_stream(
    parts: AsyncIterable[bytes], limit: int = MAX_INPUT_BYTES
) -> bytearray:
    """Return the parts as one; raises InputRefused above `limit` bytes."""
    data = bytearray()
    async for part in parts:
        data += part
        if len(data) > limit:
            raise InputRefused(f"more than {limit / 2**20:g} MiB")
    return data


def decode_json(data: bytes | bytearray, kind: type[T]) -> T:
    """Decode a JSON text straight into a type of dicts and lists; raises InputRefused.

    Separators are counted before anything is built from them. Those within strings
    count too, which only makes the limit a little lower.
    """
    containers = data.count(b"{") + data.count(b"[")
    if containers + data.count(b",") > MAX_VALUES:
        raise InputRefused(f"more than {MAX_VALUES:,} values")
    try:
        value = msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise InputRefused(f"more than {MAX_DEPTH} levels of nesting") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedInput(
            f"something unexpected: {make_printable(str(error))}"
        ) from None
    if containers > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise InputRefused(f"more than {MAX_DEPTH} levels of nesting")
    return value


def _is_deeper(value: Any, limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit):
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return any(isinstance(each, dict | list) for each in level)


def _children(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def make_printable(text: str, limit: int = MAX_TEXT) -> str:
    """Return the text on one line, with control characters escaped, and cut.

    A terminal obeys escape sequences, and a line break forges lines of a log or plan.
    """
    shown = escape_unprintable(text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
