from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudforest.base.values import yaml_block, yaml_flow, yaml_scalar
from cloudforest.compiler.yaml import parse_yaml

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = texts | st.integers(-(10**9), 10**9) | st.booleans() | st.none()
flows = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=6,
)
values = scalars | st.lists(scalars, max_size=3)
blocks = st.recursive(
    st.dictionaries(texts, values, max_size=3),
    lambda inner: st.dictionaries(texts, inner, max_size=3),
    max_leaves=4,
)


def read(text: str) -> object:
    (document,), diagnostics, _ = parse_yaml("x.yaml", text)
    assert diagnostics == []
    return document.content


@given(blocks)
def test_yaml_block_is_read_back_unchanged(value):
    written = {"kind": "x", **value}
    assert read("".join(f"{line}\n" for line in yaml_block(written))) == written


@given(flows)
def test_yaml_flow_is_read_back_unchanged(value):
    assert read(f"value: {yaml_flow(value)}\n") == {"value": value}


def test_ambiguous_scalar_is_quoted():
    assert [yaml_scalar(each) for each in ("Ada L", "no", "1", "a: b", "x #y")] == [
        "Ada L",
        '"no"',
        '"1"',
        '"a: b"',
        '"x #y"',
    ]
