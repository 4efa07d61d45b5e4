"""`init` writes a valid tree for each scenario, from its runnable example."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from cloudforest.base.errors import Misconfigured, Refused
from cloudforest.base.files import find_shipped
from cloudforest.cli.init import _parse_scenario, init, list_scenarios
from cloudforest.cli.schema import schema
from cloudforest.compiler.compile import compile_tree
from cloudforest.compiler.schemas import bundle_schemas, load_schema

SCENARIOS = load_schema("tenant")["properties"]["scenario"]["enum"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_starter_tree_is_valid(scenario, tmp_path):
    init(tmp_path / "tree", scenario=scenario)
    compiled = compile_tree(tmp_path / "tree")
    assert compiled.diagnostics == ()
    assert compiled.registration is not None
    assert compiled.registration.tenant.scenario == scenario
    assert (tmp_path / "tree" / ".gitignore").exists()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_starter_tree_declares_what_its_example_declares(
    scenario: str, tmp_path: Path
) -> None:
    """Only the sources differ, and the job of the pilot is disabled."""
    init(tmp_path / "tree", scenario=scenario)
    example, starter = (
        declared(find_shipped("topologies") / scenario),
        declared(tmp_path / "tree"),
    )
    assert set(sources(example)) == {"ldif"}
    assert set(sources(starter)) == {"activeDirectory"}
    waits = scenario == "existing-hybrid-pilot"
    for job in starter["jobs"]:
        assert job.pop("enabled", True) is not waits
    for job in example["jobs"]:
        assert job.pop("enabled", True)
    assert starter == example


def declared(tree: Path) -> dict[str, Any]:
    registration = compile_tree(tree).registration
    assert registration is not None
    data: dict[str, Any] = msgspec.to_builtins(registration)
    return data


def sources(declared: dict[str, Any]) -> list[str]:
    """Take the sources out of the domains; return the kind of each."""
    domains = [each for forest in declared["forests"] for each in forest["domains"]]
    found = [each.pop("source") for each in domains]
    return [kind for each in found for kind, source in each.items() if source]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_file_of_the_example_itself_is_written(scenario, tmp_path):
    init(tmp_path, scenario=scenario)
    example = find_shipped("topologies") / scenario
    documents = {each.name for each in example.glob("*.yaml")}
    others = {".gitignore", "README.md", "tree.schema.json"}
    assert {each.name for each in tmp_path.iterdir()} == documents | others
    readme = (tmp_path / "README.md").read_text()
    assert all(f"`{each}`" in readme for each in documents)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_document_names_the_schema_beside_it(scenario, tmp_path):
    """yaml-language-server reads the first line of each document."""
    init(tmp_path, scenario=scenario)
    for file in tmp_path.glob("*.yaml"):
        for document in file.read_text().split("\n---\n"):
            first, _, _ = document.partition("\n")
            assert first == "# yaml-language-server: $schema=tree.schema.json"
    assert json.loads((tmp_path / "tree.schema.json").read_text()) == bundle_schemas()


def test_unknown_scenario_is_refused_with_the_known_ones():
    assert list_scenarios() == sorted(SCENARIOS)
    with pytest.raises(typer.BadParameter, match="existing-hybrid-pilot"):
        _parse_scenario("nope")


def test_unknown_kind_gets_a_suggestion():
    with pytest.raises(typer.BadParameter, match='Did you mean "Scope"'):
        schema("Scoep")


def test_unwritable_folder_is_refused_with_the_reason(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Misconfigured, match=r"Not a directory\. Name another"):
        init(tmp_path / "file" / "tree", scenario="new-hybrid-customer")


def test_starter_tree_has_examples_that_can_fail(tmp_path):
    init(tmp_path, scenario="existing-hybrid-pilot")
    people = tmp_path / "people.yaml"
    people.write_text(people.read_text().replace("CN=Cloud Pilot", "CN=Nobody"))
    told = compile_tree(tmp_path).diagnostics
    assert [each.id for each in told] == ["example-scope"]


def test_init_overwrites_nothing(tmp_path):
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(Refused, match="not an empty folder"):
            init(taken, scenario="new-hybrid-customer")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
