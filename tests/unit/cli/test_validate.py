"""The formats of `validate`."""

from __future__ import annotations

import io
import json
import os

import pytest
from rich.console import Console

from cloudforest.base.diagnostics import Diagnostic, Location, Severity
from cloudforest.cli import validate
from cloudforest.cli.schema import schema
from cloudforest.cli.validate import ValidateFormat
from cloudforest.cli.validate import validate as _validate

WRONG = """\
kind: Scope
name: "100%: a, b"
organizationalUnits: all
filtres: {user: 'title eq "x"'}
"""


@pytest.fixture
def tree(tmp_path, monkeypatch):
    (tmp_path / "eu").mkdir()
    (tmp_path / "eu" / "scopes.yaml").write_text(WRONG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(*diagnostics):
    console = Console(file=io.StringIO(), width=40)
    validate.print_diagnostics(diagnostics, console)
    return console.file.getvalue().splitlines()


def complaint(line, column, severity=Severity.ERROR):
    place = Location("x.yaml", 14, column)
    return Diagnostic("some-id", "It is wrong.", place, severity, line)


def test_caret_is_below_the_mistake():
    assert shown(complaint("  - staf", 5)) == [
        "x.yaml:14:5: error: It is wrong. [some-id]",
        "   14 |   - staf",
        "      |     ^",
    ]


def test_line_that_may_hold_a_secret_is_not_shown():
    assert shown(complaint(None, 5, Severity.WARNING)) == [
        "x.yaml:14:5: warning: It is wrong. [some-id]"
    ]


@pytest.mark.parametrize("column", [1, 61, 150, 300])
def test_long_line_is_cut_around_the_caret(column):
    line = "".join(chr(97 + n % 26) for n in range(300))
    _, part, caret = shown(complaint(line, column))
    assert len(part) < 120
    assert part[caret.index("^")] == line[column - 1]


def test_tabs_and_control_characters_do_not_move_the_caret():
    _, part, caret = shown(complaint("\ta: \x1b[31mx", 2))
    assert part[caret.index("^")] == "a"
    assert "\x1b" not in part


def test_text_shows_each_mistake_with_its_line(tree, capsys):
    assert _validate(tree / "eu") == 1
    printed = capsys.readouterr().out
    assert "scopes.yaml:4:1: error: " in printed
    assert "    4 | filtres: {user:" in printed


def test_annotations_name_the_file_relative_to_the_checkout(tree, capsys):
    assert _validate(tree.__class__("eu"), ValidateFormat.GITHUB) == 1
    printed = capsys.readouterr().out.splitlines()
    assert (
        "::error file=eu/scopes.yaml,line=4,col=1,title=unknown-key::"
        'Unknown key "filtres" in this Scope. Did you mean "filters"?'
    ) in printed
    assert any('"100%25: a, b"' in each for each in printed)
    assert all(each.startswith("::error ") for each in printed)


def test_annotation_without_a_file_is_for_the_whole_tree(tmp_path, capsys):
    assert _validate(tmp_path, ValidateFormat.GITHUB) == 1
    assert capsys.readouterr().out.startswith("::error title=no-documents::The tree")


def test_comma_in_a_file_name_is_escaped(tree, capsys):
    (tree / "eu" / "a,b:c.yaml").write_text("kind: [")
    _validate(tree, ValidateFormat.GITHUB)
    assert "file=" + (tree / "eu").as_posix() + "/a%2Cb%3Ac.yaml,line=1" in (
        capsys.readouterr().out
    )


def test_json_has_the_documented_shape(tree, capsys):
    assert _validate(tree, ValidateFormat.JSON) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["valid"] is False
    keys = {"id", "severity", "message", "file", "line", "column"}
    assert all(each.keys() == keys for each in told["diagnostics"])


@pytest.mark.parametrize("output", ValidateFormat)
def test_odd_names_of_documents_and_files_do_not_break_the_output(
    output, tmp_path, capsysbinary
):
    odd = os.fsdecode(b"caf\xe9\x1b[31m.yaml")
    text = 'kind: "\\ud83c\\e[31m"\n---\n{kind: Job, name: "\\0", "\\ud83c": 1}\n'
    (tmp_path / odd).write_text(text)
    (tmp_path / "scope.yaml").write_text(
        '{kind: Scope, name: x, organizationalUnits: ["\\e[31m\\ud83c"]}'
    )
    assert _validate(tmp_path, output) == 1
    printed = capsysbinary.readouterr().out
    assert b"\x1b" not in printed
    assert rb"\ud83c" in printed or rb"\\ud83c" in printed


def test_schema_is_printed_for_one_kind_or_all(capsys):
    schema("job")
    assert json.loads(capsys.readouterr().out)["title"] == "Job"
    schema("plan")
    assert json.loads(capsys.readouterr().out)["title"] == "Plan"
    schema()
    assert "Job" in json.loads(capsys.readouterr().out)["$defs"]
