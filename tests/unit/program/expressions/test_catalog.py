from __future__ import annotations

from cloudforest.program.expressions.catalog import FUNCTIONS


def test_every_function_says_in_a_sentence_what_it_does():
    for name, function in FUNCTIONS.items():
        assert function.name == name
        assert function.summary.endswith(".")
