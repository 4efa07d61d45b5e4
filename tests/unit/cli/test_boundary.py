from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import typer
from typer.exceptions import Abort

from cloudforest.agent.bindings import Binding, DirectoryBinding
from cloudforest.base.errors import CloudforestError, Misconfigured, Unavailable
from cloudforest.cli import terminal
from cloudforest.cli.boundary import Exit, run, worst
from cloudforest.cli.cycles import exit_code
from cloudforest.cli.explain import lookup
from cloudforest.cli.local_agents import environment_for
from cloudforest.cli.options import named_state, state_to_say
from cloudforest.control_plane.host import listen, url_of
from cloudforest.control_plane.state_folder import at_state
from cloudforest.model.messages import Lookup
from cloudforest.model.registration import SecretReference


@pytest.mark.parametrize(
    ("codes", "one"),
    [
        ((), 0),
        ((0, 2), 2),
        ((4, 2), 4),
        ((3, 4), 3),
        ((5, 3), 5),
        ((1, 5), 1),
        ((64, 1), 64),
        ((130, 70, 64), 130),
    ],
)
def test_the_gravest_exit_code_stands_for_all(codes: tuple[int, ...], one: int):
    assert worst(*codes) == one


def failing(error: BaseException):
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CloudforestError("No."), Exit.FAILED),
        (Unavailable("Away."), Exit.UNREACHABLE),
        (ExceptionGroup("tasks", [Unavailable("Away.")]), Exit.UNREACHABLE),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (Abort(), Exit.INTERRUPTED),
    ],
)
def test_each_failure_has_its_exit_code(error: BaseException, code: int):
    assert run(failing(error)) == code


def test_a_bug_writes_a_report_without_values(
    capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(failing(ValueError("canary"))) == Exit.BUG
    [report] = tmp_path.iterdir()
    assert str(report) in capsys.readouterr().err
    assert "builtins.ValueError" in report.read_text()
    assert "canary" not in report.read_text()


@pytest.mark.parametrize(
    ("cycles", "code"),
    [
        ([("succeeded", False), ("partial", False)], 4),
        ([("blocked", False), ("partial", False)], 3),
        ([("failed", True), ("blocked", False)], 5),
        ([("failed", True), ("failed", False)], 1),
    ],
)
def test_cycles_come_to_one_exit_code(cycles: list[tuple[str, bool]], code: int):
    ended = [{"state": state, "unreachable": away} for state, away in cycles]
    assert exit_code(ended) == code


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (
            "{3DC0D74E-E95E-4F91-9F41-6C1989ABAE7C}",
            Lookup(by="guid", value="3dc0d74e-e95e-4f91-9f41-6c1989abae7c"),
        ),
        ("CN=A,DC=b", Lookup(by="dn", value="CN=A,DC=b")),
        ("mail=a@b.c", Lookup(by="attribute", attribute="mail", value="a@b.c")),
        ("a@b.c", Lookup(by="attribute", value="a@b.c")),
    ],
)
def test_an_object_is_named_as_people_name_it(typed: str, meant: Lookup):
    assert lookup(typed) == meant


@pytest.mark.parametrize(
    "address", ["0.0.0.0:8080", "contoso.com:80", "127.0.0.1", "127.0.0.1:http"]
)
def test_only_a_loopback_address_and_a_port_are_listened_on(address: str):
    with pytest.raises(Misconfigured, match="--listen"):
        listen(address)


def test_a_taken_port_is_told():
    with listen("127.0.0.1:0") as taken:
        address = url_of(taken).removeprefix("http://")
        with pytest.raises(Misconfigured, match=address):
            listen(address)


def test_a_child_sees_only_what_its_documents_name():
    binding = Binding(
        active_directory=DirectoryBinding(
            controllers=("ldaps://dc1",),
            username="svc",
            password=SecretReference(env="WANTED"),
            credential="contoso.com/bind",
        )
    )
    environment = {"WANTED": "1", "OTHER": "2", "PATH": "/bin", "HOME": "/root"}
    seen = environment_for([binding, Binding(ldif="a.ldif")], environment)
    assert seen == {"WANTED": "1", "PATH": "/bin"}


def test_a_command_that_is_suggested_works_where_it_is_read(monkeypatch):
    monkeypatch.setattr("sys.argv", [".venv/bin/cloudforest", "up", "a tree"])
    state = Path("a tree/.cloudforest")

    said = terminal.command("cloudforest job staged people", state)

    assert said == (
        ".venv/bin/cloudforest job staged people --state 'a tree/.cloudforest'"
    )


@pytest.mark.parametrize(
    ("state", "tree", "said"),
    [
        (None, ".", None),
        (None, "trees/a", "trees/a/.cloudforest"),
        ("s", ".", "s"),
        ("s", "trees/a", "s"),
    ],
)
def test_the_state_is_named_where_it_is_not_the_usual_one(
    state: str | None, tree: str, said: str | None
):
    found = state_to_say(Path(state) if state else None, Path(tree))
    assert found == (Path(said) if said else None)


def test_what_fits_on_no_line_has_one_for_each_part(
    capsys: pytest.CaptureFixture[str],
):
    guids = [str(uuid.UUID(int=number)) for number in range(3)]
    row = {"name": "people", "since": "2026-11-23T05:03:32.482468Z", "enabled": True}

    terminal.show_each("Jobs", [row | {"unknownObjects": guids, "certificate": "c"}])

    lines = capsys.readouterr().out.splitlines()
    assert [f"      {each}" for each in guids] == lines[-3:]
    assert "    since: 2026-11-23T05:03:32Z" in lines
    assert "    enabled: true" in lines
    assert not any("certificate" in each for each in lines)


def test_an_object_without_a_name_is_a_mistake_in_the_command():
    with pytest.raises(typer.BadParameter):
        lookup(" ")


def test_commands_in_a_sentence_name_the_state() -> None:
    said = "There is none; `cloudforest job list` shows those there are."
    assert at_state(said, None) == said
    assert "`cloudforest job list --state /s/t`" in at_state(said, Path("/s/t"))
    for arguments in (["status", "--state", "/s"], ["status", "--state=/s"]):
        assert named_state(arguments) == Path("/s")
    assert named_state(["status", "--format", "json"]) is None
