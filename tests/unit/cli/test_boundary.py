from __future__ import annotations

import pytest
from typer.exceptions import Abort

from cloudforest.base.errors import CloudforestError, Unavailable
from cloudforest.cli.boundary import ExitCode, pick_exit_code, run_command


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
def test_most_severe_exit_code_wins(codes: tuple[int, ...], one: int):
    assert pick_exit_code(*codes) == one


def failing(error: BaseException):
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CloudforestError("No."), ExitCode.FAILED),
        (Unavailable("Away."), ExitCode.UNREACHABLE),
        (ExceptionGroup("tasks", [Unavailable("Away.")]), ExitCode.UNREACHABLE),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (Abort(), ExitCode.INTERRUPTED),
    ],
)
def test_each_failure_has_its_exit_code(error: BaseException, code: int):
    assert run_command(failing(error)) == code


def test_bug_writes_a_report_without_values(
    capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_command(failing(ValueError("canary"))) == ExitCode.BUG
    [report] = tmp_path.iterdir()
    assert str(report) in capsys.readouterr().err
    assert "builtins.ValueError" in report.read_text()
    assert "canary" not in report.read_text()
