"""Filters that contradict themselves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import most

from cloudforest.compiler.rules.filters import find_contradiction
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.predicates import compile_filter


@pytest.mark.parametrize(
    "text",
    [
        'department eq "Sales" and department eq "Support"',
        'department eq "Sales" and department ne "SALES"',
        'department eq "Sales" and not (department sw "Sa")',
        "mail pr and not (mail pr)",
        'mail eq "x" and mail eq null',
        'otherMailbox eq "x" and not (otherMailbox pr)',
        'otherMailbox co "x" and not (otherMailbox co "X")',
        'title sw "A" and title sw "B"',
        'title ew "A" and title ew "B"',
        "adminCount gt 5 and adminCount lt 5",
        "adminCount eq 1 and adminCount ge 2",
        '(title eq "a" and title eq "b") or (mail pr and mail eq null)',
        'title eq "a" and (title eq "b" or title eq "c")',
        'not (title pr or not (title eq "x"))',
    ],
)
def test_contradiction_is_found(text):
    assert find_contradiction(parse_filter(text)) is not None


@pytest.mark.parametrize(
    "text",
    [
        'department eq "Sales" or department eq "Support"',
        'otherMailbox eq "x" and otherMailbox eq "y"',
        'otherMailbox eq "x" and not (otherMailbox eq "y")',
        'memberOf eq "x" and not (title eq "x")',
        'title sw "A" and title sw "AB"',
        'title sw "A" and title ew "B"',
        "adminCount ge 5 and adminCount le 5",
        "adminCount gt 10 and adminCount lt 9",
        'not (title eq "a") and not (title eq "b")',
        'title eq "a" and title eq "b" or mail pr',
        " and ".join(f'(a{n} pr or b{n} pr or title eq "x")' for n in range(20)),
    ],
)
def test_satisfiable_filter_is_not_reported(text):
    assert find_contradiction(parse_filter(text)) is None


values = st.sampled_from(["a", "ab", "b", "5", "10", "9"])
leaves = st.builds(
    lambda name, operator, value: f'{name} {operator} "{value}"',
    st.sampled_from(["title", "otherMailbox"]),
    st.sampled_from(["eq", "ne", "sw", "ew", "co", "gt", "le"]),
    values,
) | st.sampled_from(["title pr", "otherMailbox pr"])
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=6,
)


@given(filters, st.lists(values, max_size=1), st.lists(values, max_size=3))
@settings(max_examples=most(1000), deadline=None, derandomize=True)
def test_filter_that_matches_a_value_is_not_a_contradiction(text, title, boxes):
    tree = parse_filter(text)
    found = {"title": tuple(title), "othermailbox": tuple(boxes)}
    if compile_filter(tree)(found):
        assert find_contradiction(tree) is None
