"""How YAML is parsed, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from tests.support.examples import most
from tests.support.trees import CASES, compiled, registered

from cloudforest.base.files import find_shipped
from cloudforest.compiler.compile import compile_tree
from cloudforest.compiler.yaml import DocumentComposer, ParseAbortedError, parse_scalar


@pytest.mark.parametrize("code", [0x00, 0x01, 0x0B, 0x1B, 0x7F, 0xFFFE])
def test_character_that_yaml_forbids_is_named(code, tmp_path):
    (tmp_path / "a.yaml").write_text(f"kind: Scope\nname: d{chr(code)}\n")
    (found,) = compile_tree(tmp_path).diagnostics
    assert str(found).startswith("a.yaml:2:8: error: The character ")
    assert f"U+{code:04X} " in found.message


def test_deep_nesting_is_refused_at_once(tmp_path):
    registered(tmp_path)
    (tmp_path / "deep.yaml").write_text("kind: " + "[" * 10_000)
    assert [each.id for each in compile_tree(tmp_path).diagnostics] == ["too-deep"]


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
def test_plain_scalar_follows_yaml_1_2(text, value):
    assert parse_scalar(text) == value
    assert type(parse_scalar(text)) is type(value)


DOCUMENTS = [*CASES.glob("*.yaml"), *find_shipped("mappings").rglob("*.yaml")]


def composed(text, *, pure):
    """Return the parsed documents and their places; None where the parser stops."""
    events = YAML(typ="safe", pure=pure).parse(text)
    try:
        found = list(
            DocumentComposer("x.yaml", text, events, max_mistakes=0).compose_documents()
        )
    except (YAMLError, ParseAbortedError):
        return None
    return [(each.content, each.locations) for each in found]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda each: each.name)
def test_fast_and_slow_parser_agree_on_every_document(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    fast = composed(text, pure=False)
    assert fast is None or "\t" in text or fast == composed(text, pure=True)


@given(st.text(st.sampled_from("kx:,[]{}-#'\"\n ?%1.é\r\\/@~=!&*"), max_size=30))
@settings(max_examples=most(500), deadline=None, derandomize=True)
def test_fast_and_slow_parser_agree_on_any_text(text):
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
def test_file_of_the_largest_size_is_parsed(tmp_path, text):
    result = compiled(tmp_path, large=text)
    assert result.registration is None
    assert result.diagnostics
