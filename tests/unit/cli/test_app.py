"""The table of commands, and the modules that a call imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloudforest import __version__
from cloudforest.cli.app import COMMANDS, SECTIONS

COMMAND = Path(sys.executable).with_name("cloudforest")
LOADED = """\
import sys
sys.argv[0] = "cloudforest"
from cloudforest.__main__ import main
try:
    main()
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""
HEAVY = {
    *("aiohttp", "alembic", "asyncio", "cryptography", "jinja2", "jsonschema", "jwt"),
    *("ldap3", "nats", "pydantic", "regex", "ruamel", "scim2_models", "sqlalchemy"),
    *("starlette", "structlog", "uvicorn"),
}
ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


def call(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        env=ENVIRONMENT | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def loaded_by(*arguments: str, **variables: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        env=ENVIRONMENT | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ran.stderr.split())


def test_every_command_is_in_one_section():
    listed = sorted(name for names in SECTIONS.values() for name in names)
    assert listed == sorted({name.split()[0] for name in COMMANDS})


def test_version_loads_neither_typer_nor_a_command():
    loaded = loaded_by("--version")
    assert "typer" not in loaded
    assert {each for each in loaded if each.startswith("cloudforest.")} == {
        "cloudforest.__main__"
    }


def test_version_is_the_same_with_and_without_the_app():
    assert call("--version").stdout == f"cloudforest {__version__}\n"
    assert call("--verbose", "--version").stdout == call("--version").stdout


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--help"], {}),
        (["-h"], {}),
        (["job", "--help"], {}),
        (["job", "allwo"], {}),
        (
            [],
            {
                "_CLOUDFOREST_COMPLETE": "complete_bash",
                "COMP_WORDS": "cloudforest job ",
                "COMP_CWORD": "2",
            },
        ),
    ],
    ids=" ".join,
)
def test_help_and_completion_load_no_command(
    arguments: list[str], variables: dict[str, str]
):
    loaded = loaded_by(*arguments, **variables)
    assert {each for each in loaded if each.startswith("cloudforest.cli.")} == {
        "cloudforest.cli.app",
        "cloudforest.cli.boundary",
        "cloudforest.cli.help",
    } | ({"cloudforest.cli.options"} & loaded)
    assert not loaded & {"rich", "structlog", "aiohttp", "sqlalchemy", "pydantic"}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_loads_no_heavy_module(name: str):
    loaded = loaded_by(*name.split(), "--help")
    assert not HEAVY & {each.partition(".")[0] for each in loaded}
    layers = {each.split(".")[1] for each in loaded if each.startswith("cloudforest.")}
    assert layers <= {"__main__", "base", "cli", "control_plane", "model"}
    assert {
        each for each in loaded if each.startswith("cloudforest.control_plane")
    } <= {
        "cloudforest.control_plane",
        "cloudforest.control_plane.state_folder",
    }


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", ["", "job", "job allow", "schema", "agent run"])
def test_short_and_long_option_show_the_same_help(command: str, option: str):
    ran = call(*command.split(), option)
    assert ran.returncode == 0
    assert ran.stdout == call(*command.split(), "--help").stdout
    assert ran.stdout.startswith(f"Usage: cloudforest {command}".rstrip())
    assert "-h, --help" in ran.stdout


def test_help_without_a_command_is_wrong_usage():
    assert call().returncode == 64
    assert call().stdout == call("--help").stdout
    assert call("job").returncode == 64
    assert call("job").stdout == call("job", "--help").stdout


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("plna", "No such command 'plna'. Did you mean 'plan'?"),
        ("job allwo", "No such command 'allwo'. Did you mean 'allow'?"),
        ("pause people", "No such command 'pause'. Did you mean 'job pause'?"),
        ("logs --since now", "Invalid value for '--since': \"now\" is not a time."),
        ("qqqq", "No such command 'qqqq'."),
        ("--verson", "No such option: --verson. Did you mean '--version', "),
        ("plan --sate s", "No such option: --sate. Did you mean '--state', "),
        ("agent run --contrl", "No such option: --contrl. Did you mean '--control'?"),
        ("plan --qqqq", "No such option: --qqqq\n"),
    ],
)
def test_wrong_name_gets_a_suggestion(typed: str, said: str):
    ran = call(*typed.split())
    assert ran.returncode == 64
    assert ran.stdout == ""
    assert ran.stderr.startswith(said)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("qqqq", "`cloudforest --help` lists the commands."),
        ("job qqqq", "`cloudforest job --help` lists the commands."),
        ("job run", "`cloudforest job run --help` shows the options."),
        ("plan --qqqq", "`cloudforest plan --help` shows the options."),
        ("schema qqqq --state s", "`cloudforest schema --help` shows the options."),
        ("schema qqqq", "`cloudforest schema --help` shows the options."),
    ],
)
def test_usage_error_names_the_help_of_its_command(typed: str, hint: str):
    assert call(*typed.split()).stderr.splitlines()[-1] == hint


def completed(words: str) -> list[str]:
    """Return the completions of bash after these words, with the printed script."""
    script = call(_CLOUDFOREST_COMPLETE="source_bash").stdout
    *typed, last = words.split(" ")
    quoted = " ".join(f"'{each}'" for each in [*typed, last])
    asked = (
        f"COMP_WORDS=({quoted}) COMP_CWORD={len(typed)}\n"
        f"_cloudforest_completion {COMMAND}\n"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    ran = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"],
        env=ENVIRONMENT | {"PATH": f"{COMMAND.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.split()


def test_bash_completes_commands_options_and_values():
    assert sorted(completed("cloudforest ")) == sorted(
        {name.split()[0] for name in COMMANDS}
    )
    assert completed("cloudforest job re") == ["restart"]
    assert {"--state", "--out"} <= set(completed("cloudforest plan --"))
    assert completed("cloudforest plan --format m") == ["markdown"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_complete_with_one_line_of_help(shell: str):
    offered = call(
        _CLOUDFOREST_COMPLETE=f"complete_{shell}",
        _TYPER_COMPLETE_ARGS="cloudforest job pau",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    ).stdout
    assert "pause" in offered
    assert COMMANDS["job pause"] in offered


def test_completion_is_installed_for_the_shell_in_use(tmp_path: Path):
    ran = subprocess.run(
        ["bash", "-c", f"{COMMAND} --install-completion; exit $?"],
        env=ENVIRONMENT | {"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    script = tmp_path / ".bash_completions" / "cloudforest.sh"
    assert "_CLOUDFOREST_COMPLETE" in script.read_text()
    assert str(script) in (tmp_path / ".bashrc").read_text()
    assert "installed in" in ran.stdout
