"""An apply that is killed or interrupted at any step, and repeated, ends the same.

The command runs its own control plane.
"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.scenario.applies.changes import REGISTERING, stored, with_steps
from tests.support.applies import Undisturbed

CODES = {signal.SIGKILL: -9, signal.SIGINT: 130}
STEPS = (
    *("create CREATE TABLE link+0", "create replace operator.token+0"),
    *("create INSERT INTO agent+0", "update DELETE FROM agent+0"),
    *(f"update {REGISTERING}+{more}" for more in range(4)),
)
"""The last four: the registration, its audit record, its commit, and the answer."""


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("step", STEPS)
def test_next_apply_completes_an_interrupted_one(
    step: str,
    number: signal.Signals,
    changes: dict[str, Undisturbed],
    tmp_path: Path,
) -> None:
    name, step = step.split(" ", 1)
    interrupt(changes[name], step, number, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("name", ["create", "update"])
def test_next_apply_completes_one_interrupted_at_any_step(
    name: str,
    number: signal.Signals,
    changes: dict[str, Undisturbed],
    tmp_path: Path,
) -> None:
    """Interrupt at the last step of each name, except steps that create the schema."""
    steps = changes[name].steps
    last = {step: n for n, step in enumerate(steps) if not step.startswith("CREATE")}
    for place in last.values():
        interrupt(changes[name], f"+{place}", number, tmp_path / str(place))


def interrupt(
    undisturbed: Undisturbed, step: str, number: signal.Signals, folder: Path
) -> None:
    cloudforest = undisturbed.change.copy(folder / "tree")
    ran = with_steps(cloudforest, folder / "steps", number, step)("apply", "--yes")
    assert ran.code == CODES[number], (step, ran)
    assert "Traceback" not in ran.err, (step, ran)

    again = cloudforest("apply", "--yes")

    assert again.code == 0, (step, again)
    assert stored(cloudforest.state) == undisturbed.end, step
