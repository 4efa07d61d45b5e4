"""Limits for everything that strangers send."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from cloudforest.base import inputs
from cloudforest.base.inputs import (
    InputRefused,
    decode_json,
    make_printable,
    read_stream,
)


async def parts(*given: bytes) -> AsyncIterator[bytes]:
    for each in given:
        yield each


async def test_parts_become_one():
    assert await read_stream(parts(b"a", b"", b"bc"), limit=3) == b"abc"


async def test_stream_ends_at_the_limit():
    taken = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            taken.append(None)
            yield bytes(2**20)

    with pytest.raises(InputRefused, match="more than 2 MiB"):
        await read_stream(endless(), limit=2**21)
    assert len(taken) == 3


def test_document_is_decoded_into_its_type():
    assert decode_json(b'{"a": [1, 2]}', dict[str, list[int]]) == {"a": [1, 2]}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"a": "x"}', b"[1]", b'{"a": \xff}', b'{"\xff": 1}', b"\x00"],
)
def test_anything_else_is_refused(data):
    with pytest.raises(InputRefused, match="something unexpected"):
        decode_json(data, dict[str, int])


@pytest.mark.parametrize("unit", [b"{}", b"[]", b"0"])
def test_values_are_counted_before_they_are_built(unit):
    data = b"[" + b",".join([unit] * (inputs.MAX_VALUES + 1)) + b"]"
    with pytest.raises(InputRefused, match="more than 1,000,000 values"):
        decode_json(data, list)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("depth", [33, 100, 10_000])
def test_deep_nesting_is_refused(opening, closing, depth):
    data = opening * depth + b"1" + closing * depth
    with pytest.raises(InputRefused, match="more than 32 levels"):
        decode_json(data, Any)


def test_nesting_up_to_the_limit_is_read():
    data = b"[" * 32 + b"1" + b"]" * 32
    assert msgspec.json.encode(decode_json(data, Any)) == data


def test_wide_documents_are_not_deep():
    data = msgspec.json.encode([{"a": [1]}] * 1000)
    assert len(decode_json(data, list)) == 1000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë Müller", "Zoë Müller"),
        ("red \x1b[31m", "red \\x1b[31m"),
        ("two\nlines", "two\\nlines"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert make_printable(text) == shown


def test_long_text_is_cut():
    assert make_printable("x" * 1000, limit=10) == "x" * 9 + "…"
