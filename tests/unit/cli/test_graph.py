"""`import-schema` and `export-schema`, on files."""

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
    export_schema(job, **named)
    return json.loads(capsys.readouterr().out)


def test_imported_schema_is_exported_unchanged(tree, capsys):
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


def test_export_can_use_another_base_schema(tree, capsys):
    other = (tree / "graph" / "ids.graph.json").rename(tree / "other.json")
    schema = json.loads(SCHEMA.read_text())
    assert exported(capsys, "ids", base=other) == schema
    assert exported(capsys, "ids") != schema
    file = tree / "graph" / "ids.yaml"
    file.write_text(file.read_text().replace("{constant: Member}", "{constant: en}"))
    assert exported(capsys, "ids", base=other) != schema


def test_tree_is_the_current_folder_or_the_one_of_the_state(tree, capsys, monkeypatch):
    elsewhere = tree / "graph"
    StateFolder(tree / ".cloudforest").resolve_tree(elsewhere)
    assert exported(capsys, "people")
    monkeypatch.chdir(elsewhere)
    state = StateFolder(elsewhere / "state")
    state.resolve_tree(tree)
    assert exported(capsys, "people", state=state.path)


def test_state_inside_its_tree_can_be_copied_with_it(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    assert StateFolder(old / ".cloudforest").resolve_tree(old) == old
    shutil.copytree(old, new)
    shutil.rmtree(old)
    assert StateFolder(new / ".cloudforest").resolve_tree(None) == new
    other = StateFolder(tmp_path / "state")
    assert other.resolve_tree(new) == new
    assert other.resolve_tree(None) == new


@pytest.mark.usefixtures("tree")
def test_job_without_schema_gets_a_new_one(capsys):
    made = exported(capsys, "people")
    assert [each["name"] for each in made["synchronizationRules"]] == ["people"]


def test_documents_are_printed_without_out(capsys):
    import_schema(SCHEMA, target="cloud")
    assert "\nname: ad2aad\n" in (text := capsys.readouterr().out)
    assert "\ntarget: cloud\n" in text


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (None, "`synchronizationRules` in .* is empty"),
        ([], "`synchronizationRules` in .* is empty"),
        ([None], r"synchronizationRules\[0\]"),
        ([{}], r"`synchronizationRules\[0\]` in .* has no `objectMappings`"),
        (
            [{"objectMappings": []}],
            r"`synchronizationRules\[0\]` in .* has no `objectMappings`",
        ),
        (
            [{"objectMappings": [{"sourceObjectName": "site"}]}],
            "Nothing in .* objects of site are not read",
        ),
    ],
)
def test_schema_without_importable_rules_is_an_error(tmp_path, rules, said):
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"synchronizationRules": rules}))
    with pytest.raises((Misconfigured, Refused), match=said):
        import_schema(file)


def test_missing_job_or_file_is_named(tree):
    with pytest.raises(Refused, match=r'no job "nobody"\. Choose one of: "ids"'):
        export_schema("nobody")
    with pytest.raises(Misconfigured, match="Cannot read"):
        import_schema(tree / "nothing.json")
    with pytest.raises(typer.BadParameter):
        import_schema(SCHEMA, name="--")
