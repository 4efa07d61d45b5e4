"""Parsing of SCIM filters, and the places of mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudforest.model.program import And, Compare, Not, Or, Present, ValuePath
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.filter_syntax import (
    MAX_DEPTH,
    MAX_LENGTH,
    locate_clauses,
    parse_filter,
)
from cloudforest.program.scoping.predicates import compile_filter, write_filter


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
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_value_keeps_its_type(literal, value):
    parsed = parse_filter(f"Department eq {literal}")
    assert parsed == eq("department", value)
    assert type(parsed.value) is type(value)


@pytest.mark.parametrize(
    "operator", ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
)
def test_operators_are_case_insensitive(operator):
    expected = Compare(attribute="a", operator=operator, value="x")
    assert parse_filter(f'a {operator.upper()} "x"') == expected


def test_and_binds_tighter_than_or():
    parsed = parse_filter("a eq 1 or b eq 2 and c eq 3 or d pr")
    both = And(operands=(eq("b", 2), eq("c", 3)))
    assert parsed == Or(operands=(eq("a", 1), both, Present(attribute="d")))


def test_parentheses_group():
    parsed = parse_filter("(a eq 1 or b eq 2) and not (c eq 3 and d eq 4)")
    first = Or(operands=(eq("a", 1), eq("b", 2)))
    second = Not(operand=And(operands=(eq("c", 3), eq("d", 4))))
    assert parsed == And(operands=(first, second))


def test_parentheses_group_at_the_start_of_a_chain():
    parsed = parse_filter("(a eq 1 or b eq 2) or not (c pr)")
    group = Or(operands=(eq("a", 1), eq("b", 2)))
    assert parsed == Or(operands=(group, Not(operand=Present(attribute="c"))))


def test_name_may_start_like_a_constant_and_lines_may_break():
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
        ('emails[type eq "work"]', 7),
        ("a[value pr] eq 1", 12),
        ("a[value pr].display pr", 11),
        ("a[value[value pr]]", 7),
        ("a[value pr", 10),
        ("a has 0", 6),
        ("a has -1", 6),
        ("a has 1.5", 6),
        ("a has true", 6),
        ('a has "2"', 6),
        ("a has", 5),
        ("a eq 1 # b", 7),
        ("a\ud800", 1),
    ],
)
def test_mistake_is_located(text, offset):
    with pytest.raises(SyntaxFault) as caught:
        parse_filter(text)
    assert caught.value.offset == offset
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('a eq "unclosed', "The string is not closed"),
        ('a eq "x\\" and b pr', "The string is not closed"),
        ("a eq 99999999999999999999", "is too long. At most 19 digits"),
        ("a gt 1E400", 'The number "1E400" is too long'),
        ("a eq 0.123456789012345678", "17 decimals"),
        ("a eq 01", r'Invalid number "01"\. .* without leading zeros'),
        ("a eq 5.", r'Invalid number "5\."'),
        ("a eq +5", r'Invalid number "\+5"'),
        ("a eq .5)", r'Invalid number "\.5"'),
        ("a eq 2026-01-31", r'Invalid number "2026-01-31"\. .* in double quotes'),
        ("a eq 5x", 'Invalid number "5x"'),
        ("a eq -", 'Unexpected character "-"'),
        ("a;binary pr", "options such as ;binary"),
    ],
)
def test_mistake_is_described(text, reason):
    with pytest.raises(SyntaxFault, match=reason):
        parse_filter(text)


def test_comparisons_are_located_at_their_attribute():
    text = 'cn eq "İ mail" and Mail pr or not (x[value gt 5 and value eq null])'
    found = [
        (each.attribute, each.spelling, each.offset, each.operand)
        for each in locate_clauses(text)
    ]
    assert found == [
        ("cn", "cn", 0, 6),
        ("mail", "Mail", 19, 19),
        ("x", "x", 35, 35),
        ("x", "x", 35, 46),
        ("x", "x", 35, 61),
    ]


def test_value_path_is_one_node():
    parsed = parse_filter('proxyAddresses[value sw "SMTP:" and not (VALUE pr)]')
    starts = Compare(attribute="value", operator="sw", value="SMTP:")
    both = And(operands=(starts, Not(operand=Present(attribute="value"))))
    assert parsed == ValuePath(attribute="proxyaddresses", operand=both)


def test_value_path_may_be_part_of_a_chain():
    parsed = parse_filter("a[value eq 1 or value eq 2] and b pr or not (c[value pr])")
    either = Or(operands=(eq("value", 1), eq("value", 2)))
    path = ValuePath(attribute="a", operand=either)
    other = ValuePath(attribute="c", operand=Present(attribute="value"))
    assert parsed == Or(
        operands=(
            And(operands=(path, Present(attribute="b"))),
            Not(operand=other),
        )
    )


def test_has_takes_a_number():
    expected = Compare(attribute="useraccountcontrol", operator="has", value=2)
    assert parse_filter("userAccountControl HAS 2") == expected


def test_keywords_are_case_insensitive():
    parsed = parse_filter("a PR oR b Pr aND nOT (c pR)")
    both = And(operands=(Present(attribute="b"), Not(operand=Present(attribute="c"))))
    assert parsed == Or(operands=(Present(attribute="a"), both))


def nested(depth):
    return "(" * depth + "a pr" + ")" * depth


def test_nesting_is_limited():
    assert parse_filter(nested(MAX_DEPTH)) == Present(attribute="a")
    with pytest.raises(SyntaxFault, match="nested") as caught:
        parse_filter(nested(MAX_DEPTH + 1))
    assert caught.value.offset == MAX_DEPTH


def test_deepest_and_longest_filters_compile():
    negated = "not (" * MAX_DEPTH + "a pr" + ")" * MAX_DEPTH
    chain = " or ".join(["a has 4"] * 800)
    for text in (negated, chain):
        tree = parse_filter(text)
        assert compile_filter(tree)({"a": ("4",)})
        assert parse_filter(write_filter(tree)) == tree


def test_long_chain_is_one_flat_node_and_length_is_limited():
    chain = " or ".join(["a eq 1"] * 900)
    parsed = parse_filter(chain)
    assert isinstance(parsed, Or)
    assert len(parsed.operands) == 900
    with pytest.raises(SyntaxFault, match="longer"):
        parse_filter("a" * (MAX_LENGTH + 1))


PLAIN = """a value not and or oR eq NE co sw ew gt ge lt le has pr ( ) [ ] . : #
1 -1.5 7e3 true null a[value urn:x:y:a"""
WORDS = [
    *PLAIN.split(),
    *('"x"', '"x', '"', '"2026-01-31"', "\\", '"\\u00e9"', '"\\ud800"'),
]


def survives(text):
    """Check that a text parses and can be written again, or has a located fault."""
    try:
        tree = parse_filter(text)
    except SyntaxFault as error:
        fault = error
    else:
        fault = None
    if fault is not None:
        assert 0 <= fault.offset <= len(text)
        assert fault.message.endswith(".")
        return
    assert parse_filter(write_filter(tree)) is not None
    for values in ((), ("x", "-1", "2026-01-31"), ("20260131000000.0Z", "\ud800")):
        assert compile_filter(tree)({"a": values, "value": values}) in {True, False}


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=30))
def test_random_tokens_parse_or_raise_syntax_fault(words):
    survives(" ".join(words))


VALID = (
    'a eq "x" and not (b[value sw "y" or value has 3]) or c ge "2026-01-31T00:00:00Z"'
)


@given(st.integers(0, len(VALID)), st.integers(0, 4), st.text(max_size=3))
def test_filter_with_a_typo_parses_or_raises_syntax_fault(at, left_out, put_in):
    survives(VALID[:at] + put_in + VALID[at + left_out :])


@pytest.mark.long
@settings(max_examples=200_000, deadline=None)
@given(st.text(st.sampled_from(' ()[]"\\.:-1ae') | st.characters(), max_size=200))
def test_any_text_parses_or_raises_syntax_fault(text):
    survives(text)
