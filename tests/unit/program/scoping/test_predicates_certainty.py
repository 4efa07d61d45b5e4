"""Filters over attributes that may be hidden: certain and unknown results."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.support.filters import LEAVES, ROWS, VALUES

from cloudforest.model.program import And, Compare, Not, Or, Present, ValuePath
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.predicates import (
    compile_filter,
    compile_three_valued,
    find_filter_attributes,
    write_filter,
)


def trees(leaves):
    return st.recursive(
        leaves,
        lambda inner: (
            st.builds(Not, operand=inner)
            | st.builds(And, operands=several(inner))
            | st.builds(Or, operands=several(inner))
        ),
        max_leaves=8,
    )


def several(inner):
    return st.lists(inner, min_size=2, max_size=3).map(tuple)


def paths(leaves):
    operand = trees(leaves.map(lambda each: structs.replace(each, attribute="value")))
    return st.builds(ValuePath, attribute=st.sampled_from("abc"), operand=operand)


TREES = trees(LEAVES | paths(LEAVES))
WRITABLE = (
    st.builds(Present, attribute=st.sampled_from("abc"))
    | st.builds(
        Compare,
        attribute=st.sampled_from("abc"),
        operator=st.sampled_from(["co", "sw", "ew", "gt", "ge", "lt", "le"]),
        value=VALUES
        | st.integers(-999, 999)
        | st.floats(-9, 9).map(lambda x: round(x, 3)),
    )
    | st.builds(
        Compare,
        attribute=st.sampled_from("abc"),
        operator=st.sampled_from(["eq", "ne"]),
        value=VALUES | st.booleans() | st.none(),
    )
    | st.builds(
        Compare,
        attribute=st.sampled_from("abc"),
        operator=st.just("has"),
        value=st.integers(1, 9),
    )
)
WRITTEN = trees(WRITABLE | paths(WRITABLE))
"""Trees that a text can have: only eq and ne compare with true, false and null."""
HIDDEN = st.frozensets(st.sampled_from("abc"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('department eq "Sales"', True),
        ('employeeType eq "staff"', None),
        ('employeeType ne "staff"', None),
        ("employeeType pr", None),
        ("employeeType eq null", None),
        ('department eq "Law" and employeeType eq "staff"', False),
        ('department eq "Sales" and employeeType eq "staff"', None),
        ('department eq "Sales" or employeeType eq "staff"', True),
        ('department eq "Law" or employeeType eq "staff"', None),
        ('not (employeeType eq "contractor")', None),
        ('not (department eq "Law" and employeeType pr)', True),
    ],
)
def test_result_with_a_hidden_attribute(text: str, *, expected: bool | None):
    row = {"department": ("Sales",)}
    hidden = frozenset({"employeetype"})
    assert compile_three_valued(parse_filter(text))(row, hidden) is expected


@given(TREES, ROWS)
def test_three_valued_result_equals_the_filter_if_nothing_is_hidden(tree, row):
    assert compile_three_valued(tree)(row, frozenset()) is compile_filter(tree)(row)


@given(
    TREES, ROWS, HIDDEN, st.fixed_dictionaries(dict.fromkeys("abc", st.lists(VALUES)))
)
def test_certain_result_holds_for_any_hidden_value(tree, row, hidden, values):
    shown = {name: each for name, each in row.items() if name not in hidden}
    expected = compile_three_valued(tree)(shown, hidden)

    filled = {**shown, **{name: tuple(values[name]) for name in hidden}}

    if expected is not None:
        assert compile_filter(tree)(filled) is expected


@given(TREES, ROWS, HIDDEN)
def test_hiding_fewer_attributes_keeps_certain_results(tree, row, hidden):
    shown = {name: each for name, each in row.items() if name not in hidden}
    three_valued = compile_three_valued(tree)
    expected = three_valued(shown, hidden)
    for name in hidden:
        assert expected is None or three_valued(shown, hidden - {name}) is expected


@given(WRITTEN, ROWS)
def test_written_filter_means_the_same(tree, row):
    again = parse_filter(write_filter(tree))

    assert find_filter_attributes(again) == find_filter_attributes(tree)
    assert compile_filter(again)(row) is compile_filter(tree)(row)
