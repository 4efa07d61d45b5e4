"""The steps of one object as text, for each result of an expression."""

from __future__ import annotations

from typing import Any

import pytest

from cloudforest.cli.explain import print_steps


@pytest.mark.parametrize(
    ("came", "said"),
    [
        ({"result": "Anna"}, "title: Anna   ← e"),
        ({"result": None}, "title: null   ← e"),
        ({"error": "No value."}, "title: No value.   ← e"),
        ({"outcome": "attribute ignored"}, "title: (attribute ignored)   ← e"),
        (
            {"candidates": ["anna", "anna1"]},
            'title: the first free value of ["anna","anna1"]   ← e',
        ),
    ],
)
def test_map_step_shows_the_result_of_each_expression(
    came: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = {"target": "title", "expression": "e", "inputs": {}, **came}
    print_steps(
        {
            "object": "x",
            "steps": [{"step": "map", "result": "mapped", "detail": [line]}],
        }
    )
    assert said in capsys.readouterr().out
