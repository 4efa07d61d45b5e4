"""`import-schema` and `export-schema`, on files and without a control plane."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import typer

from cloudforest.base.errors import Misconfigured, Refused
from cloudforest.cli.graph import export_schema, import_schema
from cloudforest.control_plane.state_folder import StateFolder

UNIT = Path(__file__).parents[1]
SCHEMA = UNIT / "graph" / "ad2aad.json"
VALID = UNIT.parent / "cases" / "0-valid.yaml"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(VALID, tmp_path)
    import_schema(SCHEMA, name="ids", domain="contoso.com", out=tmp_path / "graph")
    return tmp_path


def exported(capsys: pytest.CaptureFixture[str], job: str, **named: Path) -> object:
    capsys.readouterr()
    assert export_schema(job, **named) == 0
    return json.loads(capsys.readouterr().out)


def test_a_schema_goes_into_the_tree_and_comes_back(tree, capsys):
    schema = json.loads(SCHEMA.read_text())
    assert exported(capsys, "ids") == schema
    file = tree / "graph" / "ids.yaml"
    file.write_text(file.read_text().replace("{constant: Member}", "{constant: en}"))
    changed = exported(capsys, "ids")
    assert changed != schema
    assert json.dumps(changed) == json.dumps(schema).replace('"Member"', '"en"')
    export_schema("ids", out=tree / "out.json")
    assert json.loads((tree / "out.json").read_text()) == changed
    with pytest.raises(Refused, match="already exists"):
        export_schema("ids", out=tree / "out.json")
    with pytest.raises(Refused, match="already exists"):
        import_schema(SCHEMA, name="ids", out=tree / "graph")


def test_another_schema_may_be_the_base(tree, capsys):
    other = (tree / "graph" / "ids.graph.json").rename(tree / "other.json")
    schema = json.loads(SCHEMA.read_text())
    assert exported(capsys, "ids", base=other) == schema
    assert exported(capsys, "ids") != schema
    file = tree / "graph" / "ids.yaml"
    file.write_text(file.read_text().replace("{constant: Member}", "{constant: en}"))
    assert exported(capsys, "ids", base=other) != schema


def test_the_tree_is_where_we_are_unless_a_state_says_another(
    tree, capsys, monkeypatch
):
    elsewhere = tree / "graph"
    StateFolder(tree / ".cloudforest").resolve_tree(elsewhere)
    assert exported(capsys, "people")
    monkeypatch.chdir(elsewhere)
    state = StateFolder(elsewhere / "state")
    state.resolve_tree(tree)
    assert exported(capsys, "people", state=state.path)


def test_a_state_in_its_tree_goes_with_it(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    assert StateFolder(old / ".cloudforest").resolve_tree(old) == old
    shutil.copytree(old, new)
    shutil.rmtree(old)
    assert StateFolder(new / ".cloudforest").resolve_tree(None) == new
    other = StateFolder(tmp_path / "state")
    assert other.resolve_tree(new) == new
    assert other.resolve_tree(None) == new


@pytest.mark.usefixtures("tree")
def test_a_job_without_schema_has_one_made(capsys):
    made = exported(capsys, "people")
    assert [each["name"] for each in made["synchronizationRules"]] == ["people"]


def test_without_a_folder_the_documents_are_printed(capsys):
    assert import_schema(SCHEMA, target="cloud") == 0
    assert "\nname: ad2aad\n" in (text := capsys.readouterr().out)
    assert "\ntarget: cloud\n" in text


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (None, "`synchronizationRules` in .* is empty"),
        ([], "`synchronizationRules` in .* is empty"),
        ([None], r"synchronizationRules\[0\]"),
        ([{}], r"`synchronizationRules\[0\]` in .* has no `objectMappings`"),
        ([{"objectMappings": []}], r"`synchronizationRules\[0\]` in .* take that"),
        (
            [{"objectMappings": [{"sourceObjectName": "site"}]}],
            "Nothing in .* objects of site are not read",
        ),
    ],
)
def test_a_schema_that_makes_no_document_is_an_error(tmp_path, rules, said):
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"synchronizationRules": rules}))
    with pytest.raises((Misconfigured, Refused), match=said):
        import_schema(file)


def test_what_is_not_there_is_told(tree):
    with pytest.raises(Refused, match=r'no job "nobody"; there is "ids"'):
        export_schema("nobody")
    with pytest.raises(Misconfigured, match="Cannot read"):
        import_schema(tree / "nothing.json")
    with pytest.raises(typer.BadParameter):
        import_schema(SCHEMA, name="--")
