"""The plan of each topology equals the reviewed one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.golden.rewrite import PLANS, TOPOLOGIES, rendered
from tests.golden.schema import validator


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda each: each.name)
def test_plan_of_a_topology_equals_the_golden_one(topology: Path):
    """To accept a change, run `python -m tests.golden.rewrite` and read the diff."""
    for ending, text in rendered(topology).items():
        golden = PLANS / f"{topology.name}.{ending}"
        assert text == golden.read_text(encoding="utf-8"), golden


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda each: each.name)
def test_golden_plan_is_valid_by_its_schema(topology: Path):
    golden = (PLANS / f"{topology.name}.json").read_text(encoding="utf-8")
    errors = validator().iter_errors(json.loads(golden))
    assert list(errors) == []


def test_every_golden_plan_belongs_to_a_topology():
    found = sorted(each.name for each in PLANS.iterdir())
    endings = ("json", "md", "txt")
    assert found == [f"{each.name}.{end}" for each in TOPOLOGIES for end in endings]
