from __future__ import annotations

from cloudforest.program.expressions.catalog import FUNCTIONS


def test_every_function_has_a_summary_sentence():
    for name, function in FUNCTIONS.items():
        assert function.name == name
        assert function.summary.endswith(".")
