"""The laws of the expression language, on random texts; `make fuzz` tries more."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.laws import hold, parsed
from tests.fuzz.words import LITERALS, WORDS
from tests.support.examples import most

from cloudforest.program.expressions.catalog import FUNCTIONS, OPERATORS
from cloudforest.program.expressions.function import Function

VALUES = st.text(max_size=12) | st.sampled_from(
    ["2026-11-23", "514", "True", "cn=a,ou=b", "SABp", "S-1-5-18", "20260101000000.0Z"]
)
OBJECTS = st.dictionaries(
    st.sampled_from(["a", "b", "dn"]), st.lists(VALUES, max_size=3).map(tuple)
)
BOUNDED = settings(
    max_examples=most(150), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def a_call(function: Function, inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A call with an accepted number of arguments of any kind."""
    most = len(function.parameters) + 2 * function.repeat_length
    several = st.lists(inner | st.just(""), min_size=function.minimum, max_size=most)
    if function.name in OPERATORS:
        return st.tuples(inner, inner).map(f" {function.name} ".join)
    return several.map(lambda parts: f"{function.name}({', '.join(parts)})")


def calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of([a_call(each, inner) for each in FUNCTIONS.values()])


LEAVES = st.sampled_from(["[a]", "[b]", "[dn]", "[missing]", *LITERALS])
EXPRESSIONS = st.recursive(LEAVES, calls, max_leaves=8)


@BOUNDED
@given(EXPRESSIONS, OBJECTS)
def test_calls_of_every_function_keep_the_laws(text, attributes):
    hold(text, attributes)


CONSTANT = st.recursive(st.sampled_from(LITERALS), calls, max_leaves=8)


KEYS = st.sampled_from(
    (
        *('Split("a b", " ")', 'Split("a", " ")', 'Error("no")', "IgnoreAttributeFlow"),
        *('Left("a", "x")', 'CDate("2026-11-23")', '"a"', "1", "", 'Trim(" ")'),
    )
)


@BOUNDED
@given(st.lists(st.tuples(KEYS, KEYS), min_size=1, max_size=4), OBJECTS)
def test_switch_accepts_any_expression_as_key(cases, attributes):
    pairs = ", ".join(f"{key}, {value}" for key, value in cases)
    hold(f'Switch([a], "d", {pairs})', attributes)
    hold(f'Switch("a", "d", {pairs})', {})


@BOUNDED
@given(CONSTANT)
def test_constant_expression_is_the_same_evaluated_once_or_per_object(text):
    hold(text, {})


@BOUNDED
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=30), OBJECTS)
def test_random_tokens_keep_the_laws(pieces, attributes):
    hold("".join(pieces), attributes)


@BOUNDED
@given(st.text(alphabet="[](){}|?*+^$\\\"'<>=!:.-,aA1pkzZ", max_size=12), OBJECTS)
def test_any_regular_expression_keeps_the_laws(pattern, attributes):
    quoted = pattern.replace("\\", "\\\\").replace('"', '\\"')
    hold(f'Replace([a], , "{quoted}", , "$1${{g}}$&")', attributes)


DIGITS = st.text(alphabet="0123456789. +:-ZAM", max_size=60)


@BOUNDED
@given(
    st.text(alphabet="dfFghHKmMstyz%'\"\\ -:/.TZ", max_size=12)
    | st.lists(st.sampled_from(["d", "M", "F", ".F", "K", "h", "s", "y"])).map("".join),
    VALUES | DIGITS,
)
def test_any_date_format_keeps_the_laws(form, value):
    quoted = form.replace("\\", "\\\\").replace('"', '\\"')
    hold(f'FormatDateTime(Now(), "o", "{quoted}")', {})
    hold(f'FormatDateTime([a], "{quoted}", "o")', {"a": (value,)})


def test_most_generated_expressions_can_be_parsed():
    """Otherwise the laws are hardly tested."""
    read = []

    @settings(max_examples=100, deadline=None, database=None, derandomize=True)
    @given(EXPRESSIONS)
    def check(text):
        read.append(parsed(text) is not None)

    check()
    assert sum(read) > len(read) / 3
