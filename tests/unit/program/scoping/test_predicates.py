"""Filters, evaluated: AD strings have no case, missing attributes compare false."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.filters import LEAVES, ROWS, VALUES

from cloudforest.model.program import And, Compare, Not, Or
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.predicates import compile_filter, parse_ticks

PERSON = {
    "department": ("Sales",),
    "mail": ("zoe@contoso.com", "Z@Lab.contoso.com"),
    "logoncount": ("12",),
    "employeeid": ("007",),
    "enabled": ("TRUE",),
    "whencreated": ("20240131120000.0Z",),
    "empty": (),
}


@pytest.mark.parametrize(
    "text",
    [
        'department eq "sALES"',
        'department ne "Marketing"',
        'mail ew "@LAB.contoso.com"',
        'mail sw "ZOE"',
        'mail co "contoso" and mail pr',
        "logonCount gt 9",
        "logonCount ge 12 and logonCount le 12",
        "logonCount lt 12.5",
        "logonCount eq 12.0",
        'logonCount lt "100"',
        "logonCount sw 1",
        "employeeId eq 7",
        'employeeId ne "7"',
        "department ne 5",
        'whenCreated ge "20240101000000.0Z"',
        "enabled eq true",
        "not (enabled eq false)",
        'not (missing eq "x")',
        'missing ne "x"',
        "missing eq null",
        "empty eq null",
        "department ne null",
        'missing pr or department eq "Sales"',
    ],
)
def test_filter_is_true(text):
    assert compile_filter(parse_filter(text))(PERSON)


@pytest.mark.parametrize(
    "text",
    [
        'department eq "Sale"',
        'mail ne "zoe@contoso.com"',
        "logonCount gt 12",
        "logonCount lt 12",
        'missing eq "x"',
        "missing gt 1",
        'missing sw ""',
        "missing pr",
        "empty pr",
        "department eq null",
        "enabled ne true",
        "department eq true",
        'department eq "Sales" and missing pr',
        "department gt 5",
        "department le 5",
        'department gt "2026-01-31"',
        'department lt "2026-01-31"',
        'employeeId gt "2026-01-31"',
    ],
)
def test_filter_is_false(text):
    assert not compile_filter(parse_filter(text))(PERSON)


@pytest.mark.parametrize(
    ("date", "same"),
    [
        ("2026-11-28T10:00Z", "2026-11-28T10:00:00Z"),
        ("2026-11-28T10:00", "2026-11-28T10:00:00Z"),
        ("2026-11-28t11:00+01:00", "20261128100000.0Z"),
    ],
)
def test_time_without_seconds(date, same):
    assert parse_ticks(date) == parse_ticks(same) is not None


@pytest.mark.parametrize(
    "date",
    [
        *("2026-02-30", "2026-11-28 10:00", "2026-11-28T10", "2026-11-28T10:60Z"),
        *("2026-11-28T10:00.5Z", "2026-11-28T10:00:00+24:00", "2026-11-28T10:00+0100"),
        *("2026-11-28T10:00:00+00:60", "20261128100000+9900"),
    ],
)
def test_invalid_date_is_none(date):
    assert parse_ticks(date) is None


@given(LEAVES, LEAVES, ROWS)
def test_filters_obey_the_laws_of_logic(one, other, row):
    first, second = compile_filter(one)(row), compile_filter(other)(row)
    assert compile_filter(Not(operand=one))(row) is not first
    assert compile_filter(And(operands=(one, other)))(row) is (first and second)
    assert compile_filter(Or(operands=(one, other)))(row) is (first or second)


@given(st.sampled_from("abc"), VALUES | st.integers(), ROWS)
def test_ne_is_not_eq(name, value, row):
    equal = Compare(attribute=name, operator="eq", value=value)
    differs = Compare(attribute=name, operator="ne", value=value)
    assert compile_filter(differs)(row) is not compile_filter(equal)(row)


@given(VALUES, VALUES)
def test_value_is_less_equal_or_greater(value, than):
    row = {"a": (value,)}
    results = [
        compile_filter(Compare(attribute="a", operator=operator, value=than))(row)
        for operator in ("lt", "ge", "le", "gt")
    ]
    assert results[0] is not results[1]
    assert results[2] is not results[3]
