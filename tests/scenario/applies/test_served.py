"""An apply to a running control plane, when the command or the control plane dies."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.scenario.applies.changes import REGISTERING, stored, with_steps
from tests.support.applies import Undisturbed
from tests.support.installed import Installed, eventually

APPLY = ("apply", "--yes")
PUT = "send+2"
"""The request to register, after those for the registration and the impact."""

OF_SERVE = {"files"}
"""What only `serve` leaves: the files of the bus."""


def _long(*values: object) -> list[Any]:
    return [pytest.param(each, marks=pytest.mark.long) for each in values]


@contextmanager
def served(cloudforest: Installed) -> Iterator[subprocess.Popen[str]]:
    with cloudforest.running("serve", "--state", str(cloudforest.state)) as process:
        eventually((cloudforest.state / "serve.json").exists, "serve.json")
        yield process


def kept(cloudforest: Installed) -> dict[str, Any]:
    found = stored(cloudforest.state)
    return {key: rows for key, rows in found.items() if key not in OF_SERVE}


def end(undisturbed: Undisturbed) -> dict[str, Any]:
    return {k: rows for k, rows in undisturbed.end.items() if k not in OF_SERVE}


@pytest.fixture
def update(changes: dict[str, Undisturbed]) -> Undisturbed:
    return changes["update"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)]
)
@pytest.mark.parametrize("step", [*_long("send+0", "send+1"), PUT, "send+3"])
def test_apply_killed_before_its_request_is_repeated_without_loss(
    step: str,
    number: signal.Signals,
    code: int,
    update: Undisturbed,
    tmp_path: Path,
) -> None:
    cloudforest = update.change.copy(tmp_path / "tree")
    with served(cloudforest):
        ran = with_steps(cloudforest, tmp_path / "steps", number, step)(*APPLY)
        assert ran.code == code, ran
        again = cloudforest(*APPLY)
        assert again.code == 0, again
    assert kept(cloudforest) == end(update)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_apply_killed_before_the_answer_is_repeated_without_loss(
    number: signal.Signals, update: Undisturbed, tmp_path: Path
) -> None:
    """The control plane may still complete the request. The next apply accepts both."""
    cloudforest = update.change.copy(tmp_path / "tree")
    registering = f"{REGISTERING}+0"
    stopping = with_steps(cloudforest, tmp_path / "steps", signal.SIGSTOP, registering)
    with served(stopping) as serve:
        with cloudforest.running(*APPLY) as command:
            eventually(lambda: stopped(serve.pid), "the registration")
            command.send_signal(number)
            command.wait()
        os.kill(serve.pid, signal.SIGCONT)
        again = cloudforest(*APPLY)
        assert again.code == 0, again
    assert kept(cloudforest) == end(update)


ENDS = {signal.SIGKILL: {(-9, 5)}, signal.SIGINT: {(130, 0), (130, 5)}}
"""Exit codes of `serve` and `apply`. After SIGINT, `serve` may still answer."""


@pytest.mark.parametrize("number", ENDS)
@pytest.mark.parametrize("more", [*_long(0, 1), 2, 3])
def test_apply_is_repeated_after_the_control_plane_ends(
    more: int, number: signal.Signals, update: Undisturbed, tmp_path: Path
) -> None:
    cloudforest = update.change.copy(tmp_path / "tree")
    step = f"{REGISTERING}+{more}"
    ending = with_steps(cloudforest, tmp_path / "steps", number, step)
    with served(ending) as serve:
        ran = cloudforest(*APPLY)
        serve.wait()
    assert (serve.returncode, ran.code) in ENDS[number], ran
    assert ran.code == 0 or "does not answer" in ran.err

    again = cloudforest(*APPLY)

    assert again.code == 0, again
    assert kept(cloudforest) == end(update)


def test_later_of_two_equal_applies_names_the_first(
    update: Undisturbed, tmp_path: Path
) -> None:
    cloudforest = update.change.copy(tmp_path / "tree")
    stopping = with_steps(cloudforest, tmp_path / "steps", signal.SIGSTOP, PUT)
    with served(cloudforest), stopping.running(*APPLY) as later:
        eventually(lambda: stopped(later.pid), "the stop")
        first = cloudforest(*APPLY)
        os.kill(later.pid, signal.SIGCONT)
        _, said = later.communicate(timeout=60)
    assert first.code == 0, first
    assert later.returncode == 1
    assert "based on revision 1," in said
    assert "at revision 2 (by local (" in said
    assert kept(cloudforest) == end(update)


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
