"""Each rule of comparison in filters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.predicates import (
    NEVER_TICKS,
    TICKS_PER_SECOND,
    compile_filter,
    parse_ticks,
)

NOON = 133_511_760_000_000_000
"""2024-01-31T12:00:00Z as FILETIME: (1706702400 + 11644473600) s in units of 100 ns."""


def holds(text: str, *values: str, attribute: str = "a") -> bool:
    return compile_filter(parse_filter(text))({attribute: values})


@pytest.mark.parametrize(
    ("bits", "value", "expected"),
    [
        (2, "514", True),
        (2, "512", False),
        (514, "514", True),
        (3, "2", False),
        # AD writes the sign bit of groupType as a negative number.
        (2147483648, "-2147483646", True),
        (2147483648, "2", False),
        (2, "not a number", False),
        (2, "2.0", False),
    ],
)
def test_has_is_true_if_all_bits_are_set(bits: int, value: str, *, expected: bool):
    text = f"userAccountControl has {bits}"
    assert holds(text, value, attribute="useraccountcontrol") is expected


def test_has_on_a_missing_attribute_is_false():
    assert not holds("userAccountControl has 2")
    assert holds("not (userAccountControl has 2)")


ADDRESSES = ("SMTP:zoe@contoso.com", "smtp:z@lab.contoso.com")


def test_one_value_must_match_a_whole_value_path():
    path = 'a[value sw "SMTP:z@" and value ew "@contoso.com"]'
    flat = 'a sw "SMTP:z@" and a ew "@contoso.com"'
    assert holds(flat, *ADDRESSES)
    assert not holds(path, *ADDRESSES)
    assert holds('a[value sw "smtp:z@" and value ew "@LAB.contoso.com"]', *ADDRESSES)


def test_not_in_a_value_path_applies_to_one_value():
    assert holds('a[not (value sw "smtp:zoe")]', *ADDRESSES)
    assert not holds('not (a[value sw "smtp:zoe"])', *ADDRESSES)
    assert not holds("a[not (value eq 1)]")


def test_value_path_keeps_the_case_rule_of_its_attribute():
    assert holds('loginShell[value eq "/bin/sh"]', "/bin/sh", attribute="loginshell")
    assert not holds(
        'loginShell[value eq "/BIN/sh"]', "/bin/sh", attribute="loginshell"
    )


@pytest.mark.parametrize(
    "text",
    [
        'a eq "2024-01-31T12:00:00Z"',
        'a eq "2024-01-31T13:00:00+01:00"',
        'a eq "2024-01-31t12:00:00"',
        'a ge "2024-01-31"',
        'a gt "2024-01-31T11:59:59.9999999Z"',
        'a le "20240131120000.0Z"',
        'a lt "2024-02-01"',
        'a ne "2024-01-31"',
    ],
)
@pytest.mark.parametrize(
    "value", ["20240131120000.0Z", str(NOON), "2024-01-31T12:00:00Z"]
)
def test_date_compares_with_generalized_times_filetimes_and_dates(text, value):
    assert holds(text, value)
    assert not holds(f"not ({text})", value)


@pytest.mark.parametrize("value", ["0", str(NEVER_TICKS), "-864000000000"])
@pytest.mark.parametrize("operator", ["eq", "gt", "ge", "lt", "le"])
def test_filetime_for_never_does_not_compare(operator: str, value: str):
    assert not holds(f'a {operator} "2024-01-31"', value)
    assert holds('a ne "2024-01-31"', value)


@pytest.mark.parametrize("value", ["20241331120000.0Z", "soon", "2024-02-30", "1.5"])
def test_value_that_is_not_a_date_is_neither_before_nor_after_one(value: str):
    for operator in ("eq", "gt", "ge", "lt", "le"):
        assert not holds(f'a {operator} "2024-01-31"', value)


def test_number_compares_with_a_filetime_as_a_number():
    assert holds(f"a eq {NEVER_TICKS} or a eq 0", str(NEVER_TICKS))
    assert holds("a eq 9223372036854775807 or a eq 0", "0")


@given(st.datetimes(), st.integers(0, 9_999_999))
def test_generalized_time_equals_rfc_3339(when, fraction):
    written = f"{when.isoformat(timespec='seconds')}.{fraction:07d}Z"
    digits = when.isoformat(timespec="seconds")
    for mark in "-:T":
        digits = digits.replace(mark, "")
    assert parse_ticks(f"{digits}.{fraction:07d}Z") == parse_ticks(written)
    whole = when.isoformat(timespec="seconds")
    assert (
        (parse_ticks(written) or 0) - (parse_ticks(whole) or 0)
        == fraction
        < TICKS_PER_SECOND
    )


@pytest.mark.parametrize("attribute", ["loginShell", "unixHomeDirectory", "memberUid"])
def test_ia5_strings_compare_with_case(attribute: str):
    assert holds(f'{attribute} eq "Zoe"', "Zoe", attribute=attribute.lower())
    for operator in ("eq", "co", "sw", "ew", "ge"):
        text = f'{attribute} {operator} "zoe"'
        assert not holds(text, "ZOE", attribute=attribute.lower())


def test_unicode_strings_compare_without_case():
    for operator in ("eq", "co", "sw", "ew", "ge", "le"):
        assert holds(f'department {operator} "ZOË"', "zoë", attribute="department")


def test_texts_equal_texts_and_numbers_equal_numbers():
    assert holds('a eq "007"', "007")
    assert not holds('a eq "7"', "007")
    assert holds("a eq 7", "007")
    assert holds("a eq 7", "7.0")


def test_booleans_are_the_directory_texts_true_and_false():
    assert holds("a eq true", "TRUE")
    assert not holds("a eq true", "FALSE")
    assert holds("a ne true", "FALSE")


def test_one_matching_value_is_enough():
    assert holds('a eq "y"', "x", "y")
    assert not holds('a ne "y"', "x", "y")
    assert holds("a gt 5", "1", "9")


def test_comparison_with_a_missing_attribute_is_false():
    for operator in ("eq", "co", "sw", "ew", "gt", "ge", "lt", "le"):
        assert not holds(f'a {operator} "x"')
        assert holds(f'not (a {operator} "x")')
    assert holds('a ne "x"')


def test_null_equals_a_missing_attribute():
    assert holds("a eq null")
    assert not holds("a eq null", "x")
    assert holds("a ne null", "x")


def test_strings_have_json_escapes():
    assert holds(r'a eq "\"q\" \\ \u00e9\n"', '"q" \\ é\n')
