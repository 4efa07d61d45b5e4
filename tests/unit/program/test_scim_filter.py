"""SCIM filters: what can be read, and where the others are wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudforest.model.program import And, Compare, Not, Or, Present
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.scim_filter import MAX_DEPTH, MAX_LENGTH, parse_filter


def eq(attribute, value):
    return Compare(attribute=attribute, operator="eq", value=value)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ('"Sales"', "Sales"),
        (r'"a \"b\" \\ \u00e9 (c) and d"', 'a "b" \\ é (c) and d'),
        ('""', ""),
        ("42", 42),
        ("-7", -7),
        ("3.25", 3.25),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("null", None),
    ],
)
def test_a_value_keeps_its_type(literal, value):
    parsed = parse_filter(f"Department eq {literal}")
    assert parsed == eq("department", value)
    assert type(parsed.value) is type(value)


@pytest.mark.parametrize(
    "operator", ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
)
def test_each_operator_is_read_in_any_case(operator):
    expected = Compare(attribute="a", operator=operator, value="x")
    assert parse_filter(f'a {operator.upper()} "x"') == expected


def test_and_binds_tighter_than_or():
    parsed = parse_filter("a eq 1 or b eq 2 and c eq 3 or d pr")
    both = And(operands=(eq("b", 2), eq("c", 3)))
    assert parsed == Or(operands=(eq("a", 1), both, Present(attribute="d")))


def test_a_group_stays_together():
    parsed = parse_filter("(a eq 1 or b eq 2) and not (c eq 3 and d eq 4)")
    first = Or(operands=(eq("a", 1), eq("b", 2)))
    second = Not(operand=And(operands=(eq("c", 3), eq("d", 4))))
    assert parsed == And(operands=(first, second))


def test_a_group_that_begins_a_chain_stays_together():
    parsed = parse_filter("(a eq 1 or b eq 2) or not (c pr)")
    group = Or(operands=(eq("a", 1), eq("b", 2)))
    assert parsed == Or(operands=(group, Not(operand=Present(attribute="c"))))


def test_a_name_may_begin_like_a_constant_and_lines_may_break():
    assert parse_filter("trueName eq\n null") == eq("truename", None)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        ("department", 10),
        ("department eq", 13),
        ("department eq eq", 14),
        ('department eq "Sales', 14),
        ("employeeId eq 007", 14),
        ("employeeId eq 99999999999999999999", 14),
        (r'a eq "\x"', 5),
        (r'a eq "\ud800"', 5),
        ("a eq 1 or", 9),
        ("a eq 1)", 6),
        ("not a eq 1", 4),
        ("a gt true", 5),
        ("a co null", 5),
        ('name.givenName eq "x"', 4),
        ('urn:x:y:attr eq "x"', 0),
        ('emails[type eq "work"]', 6),
        ("a eq 1 # b", 7),
        ("a\ud800", 1),
    ],
)
def test_a_mistake_is_found_at_its_place(text, offset):
    with pytest.raises(SyntaxFault) as caught:
        parse_filter(text)
    assert caught.value.offset == offset
    assert caught.value.message.endswith(".")


def nested(depth):
    return "(" * depth + "a pr" + ")" * depth


def test_nesting_ends_at_its_limit():
    assert parse_filter(nested(MAX_DEPTH)) == Present(attribute="a")
    with pytest.raises(SyntaxFault, match="nested") as caught:
        parse_filter(nested(MAX_DEPTH + 1))
    assert caught.value.offset == MAX_DEPTH


def test_a_long_chain_is_one_flat_node_and_length_has_a_limit():
    chain = " or ".join(["a eq 1"] * 900)
    parsed = parse_filter(chain)
    assert isinstance(parsed, Or)
    assert len(parsed.operands) == 900
    with pytest.raises(SyntaxFault, match="longer"):
        parse_filter("a" * (MAX_LENGTH + 1))


WORDS = [
    "a",
    "not",
    "and",
    "or",
    "eq",
    "pr",
    "(",
    ")",
    '"x',
    '"',
    "1",
    "null",
    "[",
    ".",
]


def fault_offset(text):
    try:
        parse_filter(text)
    except SyntaxFault as fault:
        return fault.offset
    return 0


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=30))
def test_nothing_but_a_fault_comes_of_nonsense(words):
    text = " ".join(words)
    assert 0 <= fault_offset(text) <= len(text)
