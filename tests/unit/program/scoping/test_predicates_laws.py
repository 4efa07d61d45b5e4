"""The laws of the filter language, on random texts; `make fuzz` tries more."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.filter_laws import hold
from tests.fuzz.words import COMPARISONS, FILTER_LITERALS, FILTER_NAMES, FILTER_WORDS
from tests.support.examples import most

VALUES = st.text(max_size=8) | st.sampled_from(
    ["a", "A", "514", "20261123120000.0Z", "133000000000000000", "TRUE", "é"]
)
OBJECTS = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(VALUES, max_size=3 if name == "othermailbox" else 1).map(tuple)
        for name in FILTER_NAMES
    },
)
BOUNDED = settings(
    max_examples=most(150), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
COMPARED = st.tuples(
    st.sampled_from(FILTER_NAMES),
    st.sampled_from(COMPARISONS),
    st.sampled_from(FILTER_LITERALS),
).map(" ".join)
PRESENT = st.sampled_from(FILTER_NAMES).map("{} pr".format)


def joined(inner):
    two = st.tuples(inner, st.sampled_from([" and ", " or "]), inner)
    return two.map("".join) | inner.map("({})".format) | inner.map("not ({})".format)


FILTERS = st.recursive(COMPARED | PRESENT, joined, max_leaves=8)


@BOUNDED
@given(FILTERS, OBJECTS)
def test_random_filters_keep_the_laws(text, attributes):
    hold(text, attributes)


@BOUNDED
@given(st.lists(st.sampled_from(FILTER_WORDS), max_size=12).map("".join), OBJECTS)
def test_random_tokens_are_parsed_or_refused(text, attributes):
    hold(text, attributes)


@BOUNDED
@given(st.text(max_size=40), OBJECTS)
def test_random_texts_are_parsed_or_refused(text, attributes):
    hold(text, attributes)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 4000 + "a pr" + ")" * 4000,
        "not (" * 1500 + "a pr" + ")" * 1500,
        " and ".join(["a pr"] * 1400),
        "a[" * 2000 + "value pr" + "]" * 2000,
        "(" * 9000,
    ],
)
def test_deep_and_long_filters_are_parsed_or_refused(text):
    hold(text, {})
