"""Which files are read, and how places are found again."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from tests.support.trees import CASES, VALID, compiled, registered

from cloudforest.base.files import shipped
from cloudforest.compiler.compile import compile_tree
from cloudforest.compiler.document import folded_offset, written_offset
from cloudforest.compiler.files import Reading, read_file
from cloudforest.compiler.yaml import Composer, GaveUpError, plain


def test_names_that_begin_with_a_dot_are_not_read(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("kind: [")
    (tmp_path / ".x.yaml").write_text("kind: [")
    registered(tmp_path)


def test_a_link_within_the_tree_is_read(tmp_path):
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "tree.yml").write_text(VALID)
    (tmp_path / "tree.yml").symlink_to("..data/tree.yml")
    assert compile_tree(tmp_path).documents == 6


def test_a_loop_of_links_ends(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "self.yaml").symlink_to("self.yaml")
    (tmp_path / "tree.yaml").write_text(VALID)
    (found,) = compile_tree(tmp_path).diagnostics
    assert found.id == "unreadable-file"
    assert "This is a link to itself; put a file here" in found.message


def test_an_ending_in_capitals_is_read(tmp_path):
    (tmp_path / "tree.YAML").write_text(VALID)
    assert compile_tree(tmp_path).documents == 6


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    text = VALID.replace("\n", "\r\n")
    (tmp_path / "tree.yaml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert compile_tree(tmp_path).diagnostics == ()


@pytest.mark.parametrize("code", [0x00, 0x01, 0x0B, 0x1B, 0x7F, 0xFFFE])
def test_a_character_that_yaml_can_not_hold_is_named(code, tmp_path):
    (tmp_path / "a.yaml").write_text(f"kind: Scope\nname: d{chr(code)}\n")
    (found,) = compile_tree(tmp_path).diagnostics
    assert str(found).startswith("a.yaml:2:8: error: The character ")
    assert f"U+{code:04X} can't be in YAML" in found.message


def test_ten_thousand_levels_are_refused_at_once(tmp_path):
    registered(tmp_path)
    (tmp_path / "deep.yaml").write_text("kind: " + "[" * 10_000)
    assert [each.id for each in compile_tree(tmp_path).diagnostics] == ["too-deep"]


def test_a_file_that_was_not_read_silences_what_it_might_have_declared(tmp_path):
    (tmp_path / "tree.yaml").write_text(VALID.replace("everybody\norg", "x\norg"))
    (tmp_path / "scopes.yaml").write_text("kind: [")
    assert [each.id for each in compile_tree(tmp_path).diagnostics] == ["yaml-syntax"]


@pytest.mark.parametrize("kind", ["Tenant", "Target", "Forest", "Scope"])
def test_a_misspelt_kind_silences_what_it_might_have_declared(kind, tmp_path):
    misspelt = VALID.replace(f"kind: {kind}\n", f"kind: {kind}x\n")
    (tmp_path / "tree.yaml").write_text(misspelt)
    assert [each.id for each in compile_tree(tmp_path).diagnostics] == ["unknown-kind"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("yes", "yes"),
        ("True", True),
        ("", None),
        ("012", 12),
        ("1.5", 1.5),
        (".inf", ".inf"),
        ("2026-11-23", "2026-11-23"),
    ],
)
def test_a_plain_scalar_means_what_yaml_1_2_says(text, value):
    assert plain(text) == value
    assert type(plain(text)) is type(value)


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
def test_an_offset_is_found_again_in_the_text_as_written(raw, offset, written):
    assert written_offset(raw, offset) == written


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
def test_an_offset_is_found_again_in_text_of_several_lines(raw, value, offset, there):
    assert raw[folded_offset(raw, value, offset) :].startswith(there)


def test_places_are_those_of_the_nearest_part_that_was_written(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text('kind: Mapping\nattributeMappings:\n  title: "[title]"\n')
    reading = Reading()
    read_file(file, "x.yaml", reading)
    places = reading.documents[0].places
    short_form = ("attributeMappings", "title", "source")
    assert str(places.place(short_form)) == "x.yaml:3:10"
    assert str(places.place(short_form, offset=1)) == "x.yaml:3:12"
    assert str(places.place(short_form[:2], at_key=True)) == "x.yaml:3:3"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "tree.yaml")
    [found] = compile_tree(tmp_path).diagnostics
    assert found.id == "unreadable-file"
    assert "This is not a regular file; put a file here" in found.message


DOCUMENTS = [*CASES.glob("*.yaml"), *shipped("mappings").rglob("*.yaml")]


def composed(text, *, pure):
    """Return what a parser makes of a text, and where; None where it stops."""
    events = YAML(typ="safe", pure=pure).parse(text)
    try:
        found = list(Composer("x.yaml", text, events, most=0).documents())
    except (YAMLError, GaveUpError):
        return None
    return [(each.content, each.places) for each in found]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda each: each.name)
def test_the_fast_parser_and_the_slow_one_read_the_same(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    fast = composed(text, pure=False)
    assert fast is None or "\t" in text or fast == composed(text, pure=True)


@given(st.text(st.sampled_from("kx:,[]{}-#'\"\n ?%1.é\r\\/@~=!&*"), max_size=30))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_the_parsers_agree_on_any_text(text):
    fast = composed(text, pure=False)
    if fast is not None:
        slow = composed(text, pure=True)
        assert slow is not None
        assert [each for each, _ in fast] == [each for each, _ in slow]


@pytest.mark.parametrize(
    "text",
    [
        "kind: Agent\nname: a\nrun: local\ndomains: [" + "x, 1, " * 150_000 + "]\n",
        "kind: Scope\nname: a\n" + "".join(f"key{n}: x\n" for n in range(60_000)),
        "kind: Job\nname: a\ndomain: x\nscope: x\nmappings:\n"
        + "".join(f"- m{n}\n" for n in range(90_000)),
        "---\n".join(
            f"kind: Mapping\nname: m{n}\nextends: m{n - 1}\n" for n in range(10_000)
        ),
        "[" * 1_000_000,
        "a:\n" * 300_000,
        "'" + "x\n" * 400_000,
    ],
    ids=["items", "keys", "names", "line", "levels", "duplicates", "unclosed"],
)
def test_a_file_of_the_largest_size_is_answered(tmp_path, text):
    result = compiled(tmp_path, large=text)
    assert result.registration is None
    assert result.diagnostics
