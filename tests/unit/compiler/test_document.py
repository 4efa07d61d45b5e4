"""How the locations of values are found in the text."""

from __future__ import annotations

import pytest

from cloudforest.compiler.document import find_folded_offset, find_written_offset
from cloudforest.compiler.files import TreeReading, read_file


@pytest.mark.parametrize(
    ("raw", "offset", "written"),
    [
        ("abc", 2, 2),
        ("'a''bc'", 2, 4),
        (r'"a\"bc"', 2, 4),
        (r'"\u00e9bc"', 1, 7),
        ("'a\n b'", 2, 0),
    ],
)
def test_offset_is_found_in_text_as_written(raw, offset, written):
    assert find_written_offset(raw, offset) == written


BLOCK = ">- # why\n    a(b,\n\n      [c],\n    d e)\n"


@pytest.mark.parametrize(
    ("raw", "value", "offset", "there"),
    [
        (BLOCK, "a(b,\n\n  [c],\nd e)", 0, "a(b"),
        (BLOCK, "a(b,\n\n  [c],\nd e)", 8, "[c]"),
        (BLOCK, "a(b,\n\n  [c],\nd e)", 13, "d e"),
        (BLOCK, "a(b,\n\n  [c],\nd e)", 4, "\n\n      [c]"),
        (BLOCK, "a(b,\n\n  [c],\nd e)", 99, "\n"),
        ("|2\n    x\n   y\n", "  x\n y\n", 2, "x"),
        ("|2\n    x\n   y\n", "  x\n y\n", 5, "y"),
        ("one\n  two", "one two", 5, "wo"),
        ("|\n\n", "\n", 0, "|"),
    ],
)
def test_offset_is_found_in_text_of_several_lines(raw, value, offset, there):
    assert raw[find_folded_offset(raw, value, offset) :].startswith(there)


def test_location_falls_back_to_the_nearest_ancestor(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text('kind: Mapping\nattributeMappings:\n  title: "[title]"\n')
    reading = TreeReading()
    read_file(file, "x.yaml", reading)
    places = reading.documents[0].locations
    short_form = ("attributeMappings", "title", "source")
    assert str(places.locate(short_form)) == "x.yaml:3:10"
    assert str(places.locate(short_form, offset=1)) == "x.yaml:3:12"
    assert str(places.locate(short_form[:2], at_key=True)) == "x.yaml:3:3"
