"""Every scenario that the language knows has a starter tree, and it is valid."""

from __future__ import annotations

import json

import pytest
import typer

from cloudforest.base.errors import Misconfigured, Refused
from cloudforest.cli.init import _scenario, init, scenarios
from cloudforest.cli.schema import schema
from cloudforest.compiler.compile import compile_tree
from cloudforest.compiler.schemas import bundled, schema_of

SCENARIOS = schema_of("tenant")["properties"]["scenario"]["enum"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_starter_tree_validates_at_once(scenario, tmp_path):
    assert init(tmp_path / "tree", scenario=scenario) == 0
    compiled = compile_tree(tmp_path / "tree")
    assert compiled.diagnostics == ()
    assert compiled.registration is not None
    assert compiled.registration.tenant.scenario == scenario
    assert (tmp_path / "tree" / ".gitignore").exists()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_document_names_the_schema_that_lies_beside_it(scenario, tmp_path):
    """To yaml-language-server, a document's own first line counts, no other's."""
    init(tmp_path, scenario=scenario)
    for file in tmp_path.glob("*.yaml"):
        for document in file.read_text().split("\n---\n"):
            first, _, _ = document.partition("\n")
            assert first == "# yaml-language-server: $schema=tree.schema.json"
    assert json.loads((tmp_path / "tree.schema.json").read_text()) == bundled()


def test_there_is_no_starter_tree_for_anything_else():
    assert scenarios() == sorted(SCENARIOS)
    with pytest.raises(typer.BadParameter, match="existing-hybrid-pilot"):
        _scenario("nope")


def test_there_is_no_schema_for_anything_else():
    with pytest.raises(typer.BadParameter, match='did you mean "Scope"'):
        schema("Scoep")


def test_where_no_folder_can_be_it_says_why_in_words(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Misconfigured, match=r"\(Not a directory\); name another"):
        init(tmp_path / "file" / "tree", scenario="new-hybrid-customer")


def test_a_starter_tree_has_examples_that_would_fail(tmp_path):
    init(tmp_path, scenario="existing-hybrid-pilot")
    people = tmp_path / "people.yaml"
    people.write_text(people.read_text().replace("CN=Cloud Pilot", "CN=Nobody"))
    told = compile_tree(tmp_path).diagnostics
    assert [each.id for each in told] == ["example-scope"]


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "file").write_text("mine")
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(Refused, match="not an empty folder"):
            init(taken, scenario="new-hybrid-customer")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
