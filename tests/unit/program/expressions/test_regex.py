"""Regular expressions that backtrack without end, and those that cannot."""

from __future__ import annotations

import time

import pytest

from cloudforest.program.expressions.evaluate import compile_expression
from cloudforest.program.expressions.regex import (
    FIRST_TIMEOUT,
    LEAST_TIMEOUT,
    MatchTimeLimit,
    is_harmless,
)
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.faults import ValueFault

RUNS_AWAY = 'Replace([title], , "(a|aa)+$", , "x")'


@pytest.mark.parametrize(
    "pattern",
    [
        "a",
        r"(?P<user>\w+)@contoso\.com",
        "[^a-z]*",
        r"^(?:[A-Z])\d{2,}",
        r"\p{L}?x",
        "(ab)+",
    ],
)
def test_harmless_pattern_needs_no_time_limit(pattern):
    assert is_harmless(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(a|aa)+$",
            "(a+)+",
            "a*b*",
            "(a)?{3}",
            "(?R)",
            "(?=a)b",
            "a{e<=3}",
            "(a|a)*b",
        ),
        *(r"(a)\1", r"\w+\s+", "(?<=a)b"),
    ],
)
def test_other_patterns_have_a_time_limit(pattern):
    assert not is_harmless(pattern)


def test_each_timeout_halves_the_time_limit():
    def run_away(timeout):
        timeouts.append(timeout)
        raise TimeoutError

    timeouts = []
    time_limit = MatchTimeLimit()
    for _ in range(20):
        with pytest.raises(ValueFault, match="takes too long"):
            time_limit.apply(run_away)
    assert timeouts[:2] == [FIRST_TIMEOUT, FIRST_TIMEOUT / 2]
    assert timeouts[-1] == LEAST_TIMEOUT


def test_runaway_pattern_takes_two_seconds_for_many_objects():
    evaluate = compile_expression(parse_expression(RUNS_AWAY))
    began = time.process_time()
    for _ in range(100):
        with pytest.raises(ValueFault, match="too long"):
            evaluate({"title": ("a" * 60 + "b",)})
    assert time.process_time() - began < 20
    assert evaluate({"title": ("aaaa",)}) == "x"


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("1" * 60 + "x", "dM" * 50),
        ("Z" * 50 + "x", "K" + "''K" * 60),
        ("1" * 60 + "x", "%F" + "sF" * 60),
        ("." * 30 + "x", ".F" * 90),
    ],
)
def test_date_formats_do_not_backtrack(value, form):
    evaluate = compile_expression(
        parse_expression(f'FormatDateTime([title], "{form}", "yyyy")')
    )
    began = time.process_time()
    with pytest.raises(ValueFault, match="not a date"):
        evaluate({"title": (value,)})
    assert time.process_time() - began < 1
