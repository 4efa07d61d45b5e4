"""The text of `--help`: plain, in sections, without the names of Python's types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from cloudforest.cli.app import COMMANDS, SECTIONS, make_app
from cloudforest.cli.help import describe, did_you_mean, option_names, settings


def found(name: str) -> Any:
    command: Any = typer.main.get_command(make_app())
    for word in name.split():
        command = command.commands[word]
    return command


def shown(name: str) -> str:
    """Return the help as `cloudforest NAME --help` prints it."""
    command = found(name)
    context = typer.Context(command, info_name=f"cloudforest {name}".strip())
    text: str = command.get_help(context)
    return text


def option(command: str, name: str) -> Any:
    [wanted] = [each for each in found(command).params if name in each.opts]
    return wanted


def headings(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if re.fullmatch(r"[A-Z][a-z ]+:", line):
            yield line.removesuffix(":")


@pytest.mark.parametrize("name", ["", "job", *COMMANDS])
def test_help_is_plain_text_without_types(name: str):
    text = shown(name)
    assert not re.search(r"<\w+>|\x1b|[│╭╰]", text)
    assert max(map(len, text.splitlines())) <= 80


def test_commands_are_listed_in_sections():
    assert list(headings(shown(""))) == [*SECTIONS, "Options"]
    assert list(headings(shown("job"))) == ["Commands", "Options"]
    assert list(headings(shown("job run"))) == ["Arguments", "Options"]


def test_usage_marks_what_can_be_omitted():
    assert shown("plan").startswith("Usage: cloudforest plan [OPTIONS] [TREE]\n")
    assert shown("job run").startswith("Usage: cloudforest job run [OPTIONS] JOB\n")


@pytest.mark.parametrize(
    ("command", "name", "names", "said"),
    [
        ("plan", "--no-impact", "--no-impact", ""),
        ("plan", "--out", "--out PATH", ""),
        ("plan", "--state", "--state DIR", "Environment variable: CLOUDFOREST_STATE."),
        ("plan", "--samples", "--samples names", ""),
        ("agent run", "--control", "--control URL", "Required."),
        ("status", "--format", "--format FORMAT", "One of text, json."),
        ("expression eval", "-a", "-a --attribute NAME=VALUE", "Can be repeated."),
    ],
)
def test_option_names_its_value_and_says_what_it_takes(
    command: str, name: str, names: str, said: str
):
    assert " ".join(option_names(option(command, name))) == names
    assert said in describe(option(command, name))


def test_default_tree_is_the_current_folder():
    [tree] = [each for each in found("plan").params if each.name == "tree"]
    assert describe(tree).endswith("Default: the current folder.")


def test_suggestion_names_the_whole_command():
    elsewhere = ["job run", "agent run"]
    said = did_you_mean("rnu", ["plan"], elsewhere)
    assert said == " Did you mean 'job run', 'agent run'?"
    assert did_you_mean("xyzzy", ["plan"], elsewhere) == ""


def test_no_color_disables_colours_if_not_empty(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("NO_COLOR", "1")
    assert settings()["color"] is False
    monkeypatch.setenv("NO_COLOR", "")
    assert settings()["color"] is None
