"""The `expression` commands: one expression, or many from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from cloudforest.base.errors import Misconfigured
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.expression import evaluate, explain, functions
from cloudforest.cli.options import OutputFormat
from cloudforest.program.expressions.catalog import FUNCTIONS

EXAMPLES = Path(__file__).parents[1] / "program" / "expressions" / "documented.json"


@pytest.fixture
def batch(tmp_path, capsys):
    def run(entries):
        file = tmp_path / "batch.json"
        file.write_text(json.dumps(entries))
        assert evaluate(batch=file) == ExitCode.DONE
        return json.loads(capsys.readouterr().out)

    return run


def as_documented(example):
    if "expected" in example:
        return {"value": example["expected"]}
    if example["outcome"] == "error":
        return {"error": "AccountName is required"}
    return {"outcome": example["outcome"]}


def test_batch_evaluates_the_documented_examples(capsys):
    assert evaluate(batch=EXAMPLES) == ExitCode.DONE
    documented = [as_documented(each) for each in json.loads(EXAMPLES.read_text())]
    assert json.loads(capsys.readouterr().out) == documented


def test_failed_entry_does_not_affect_the_others(batch):
    told = batch(
        [
            {"expression": "[A] & [b] & [c]", "attributes": {"a": 5, "B": True}},
            {"expression": "Left(", "attributes": {}},
            {"expression": "Error([mail])", "attributes": {"mail": ["x@y"]}},
            {"expression": "[a]", "attributes": {"a": [1, None, "2"]}},
            {"expression": "[a]", "attributes": {"a": []}},
            {"expression": "[a]", "attributes": {"a": {"b": 1}}},
            {"expression": "[a]", "attributes": {"a": "\ud800"}},
            {"expression": "[a]", "attributes": [1]},
            {"expression": "Now()", "attributes": {}, "now": "2026-11-23"},
            {"expression": "Now()", "attributes": {}, "now": "soon"},
            {"expression": "Now()", "attributes": {}, "taken": "x"},
            {
                "expression": "RemoveDuplicates(Split([a], [b]))",
                "attributes": {"a": ""},
            },
            {"expression": 'SelectUniqueValue("a", "b")', "taken": ["A"]},
            {"expression": 'SelectUniqueValue("a", "b")', "taken": ["A", "B"]},
            {"expression": "IgnoreAttributeFlow"},
            {"expression": 5},
            None,
        ]
    )
    kinds = [next(iter(each)) for each in told]
    assert kinds == [
        *("value", "error", "error", "value", "value", "error", "error", "error"),
        *("value", "error", "error", "value", "value", "error", "outcome", "error"),
        "error",
    ]
    assert told[0] == {"value": "5True"}
    assert told[1]["error"].startswith("Character 6: ")
    assert told[2] == {"error": "x@y"}
    assert told[3] == {"value": ["1", "2"]}
    assert told[4] == {"value": None}
    assert told[8] == {"value": "11/23/2026 12:00:00 AM"}
    assert told[11] == {"value": [""]}
    assert told[12] == {"value": "b"}
    assert "SelectUniqueValue" in told[13]["error"]


@pytest.mark.parametrize("content", ["{", '{"expression": "[a]"}'])
def test_batch_file_without_a_list_is_refused(tmp_path, content):
    file = tmp_path / "batch.json"
    file.write_text(content)
    with pytest.raises(Misconfigured, match=r"batch\.json"):
        evaluate(batch=file)


def test_expression_is_evaluated_for_an_object(tmp_path, capsys):
    file = tmp_path / "object.json"
    file.write_text('{"sn": "Ångström", "cn": ["x"], "mail": null}')
    name = 'Join(" ", [cn], [sn], [mail])'
    assert evaluate(name, object_=file, attribute=["CN=Zoë"]) == ExitCode.DONE
    assert capsys.readouterr().out == "Zoë Ångström\n"
    assert evaluate("[a]", attribute=["a=1", "a=2"]) == ExitCode.DONE
    assert capsys.readouterr().out == "1\n2\n"
    assert evaluate("[a]", output=OutputFormat.JSON) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == {"value": None}


def test_error_exits_1_and_names_the_character(capsys):
    assert evaluate('Left([sn], "x")') == ExitCode.FAILED
    assert "Character 12: " in capsys.readouterr().err
    assert evaluate("Left([sn], [sn])", attribute=["sn=a"]) == ExitCode.FAILED
    assert "whole number" in capsys.readouterr().err


def test_invalid_combination_of_options_is_refused(tmp_path):
    with pytest.raises(typer.BadParameter, match="excludes all other"):
        evaluate("[a]", batch=tmp_path)
    with pytest.raises(typer.BadParameter, match="Pass an EXPRESSION"):
        evaluate()
    with pytest.raises(typer.BadParameter, match="NAME=VALUE"):
        evaluate("[a]", attribute=["a"])
    with pytest.raises(Misconfigured, match="not a date"):
        evaluate("[a]", now="soon")


STEPS = 'IIF(IsPresent([a]), Trim([a]), Left([b], "1"))'


def test_explain_shows_the_value_of_each_needed_step(capsys):
    assert (
        explain(STEPS, attribute=["a= x "], output=OutputFormat.JSON) == ExitCode.DONE
    )
    told = json.loads(capsys.readouterr().out)
    assert told["value"] == "x"
    condition, chosen, other = told["steps"]
    assert condition["value"] == "True"
    assert chosen == {
        "expression": "Trim([a])",
        "value": "x",
        "steps": [{"expression": "[a]", "value": " x ", "steps": []}],
    }
    assert other["outcome"] == "not needed"


def test_explain_shows_a_tree_and_the_error(capsys):
    assert explain("Left([b], Append([b], 1))", attribute=["b=x"]) == ExitCode.FAILED
    out = capsys.readouterr().out
    assert "└── Append([b], 1)  →  x1" in out
    assert "whole number" in out.splitlines()[0]
    assert explain("Left(") == ExitCode.FAILED
    assert "Character 6" in capsys.readouterr().out


def test_explain_does_not_cut_long_lines(capsys):
    value = "x" * 300
    assert explain("Trim(ToLower([b]))", attribute=[f"b={value}"]) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines() == [
        f"Trim(ToLower([b]))  →  {value}",
        f"└── ToLower([b])  →  {value}",
        f"    └── [b]  →  {value}",
    ]


def test_functions_lists_every_function(capsys):
    functions(output=OutputFormat.JSON)
    told = json.loads(capsys.readouterr().out)
    assert {each["name"] for each in told} == set(FUNCTIONS)
    assert {each["name"] for each in told if not each["pure"]} == {
        *("Guid", "Now", "RandomString"),
    }
    functions("Word")
    assert "Word(source, number, delimiters)" in capsys.readouterr().out
    with pytest.raises(Misconfigured, match='Did you mean "Word"'):
        functions("Wrd")


@pytest.mark.parametrize("attributes", [[], False, 0, "x", [["a", "b"]]])
def test_attributes_that_are_not_an_object_are_an_error(batch, attributes):
    (told,) = batch([{"expression": "[a]", "attributes": attributes}])
    assert told == {"error": "`attributes` must be an object of names and values."}
