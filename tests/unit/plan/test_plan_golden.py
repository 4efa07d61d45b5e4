"""The plan of each topology is the one that was reviewed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.golden.rewrite import PLANS, TOPOLOGIES, rendered
from tests.golden.schema import validator


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda each: each.name)
def test_the_plan_of_a_topology_is_the_golden_one(topology: Path):
    """To accept a change: `python -m tests.golden.rewrite`, and look at the diff."""
    for ending, text in rendered(topology).items():
        golden = PLANS / f"{topology.name}.{ending}"
        assert text == golden.read_text(encoding="utf-8"), golden


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda each: each.name)
def test_the_golden_plan_keeps_to_its_schema(topology: Path):
    golden = (PLANS / f"{topology.name}.json").read_text(encoding="utf-8")
    errors = validator().iter_errors(json.loads(golden))
    assert list(errors) == []


def test_no_golden_plan_is_left_over():
    found = sorted(each.name for each in PLANS.iterdir())
    endings = ("json", "md", "txt")
    assert found == [f"{each.name}.{end}" for each in TOPOLOGIES for end in endings]
