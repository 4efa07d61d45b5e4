"""Kill any process at any moment: the next cycles reach the same end state.

A trial is an initial cycle over 300 objects, 100 changes and an incremental cycle.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.scenario.kills.plant import Plant
from tests.support.kills import Undisturbed

VICTIMS = ("service", "agent", "bus", "directory", "target")


@pytest.mark.parametrize("victim", VICTIMS)
def test_killed_process_leads_to_the_undisturbed_end_state(
    victim: str, moment: float, plant: Plant, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """`moment` is a share of the cycle: 0 to 1 in the first, 1 to 2 in the second."""
    plant.begin(tmp_path)
    disturbed = int(moment)
    for number in range(2):
        if number == disturbed:
            with plant.disturbed():
                time.sleep((moment - number) * undisturbed.seconds[number])
                plant.kill(victim)
            plant.revive(victim)
        plant.converge()
        if number == 0:
            plant.flip()

    assert plant.end_state() == undisturbed.end[plant.flipped]
    plant.target.kill()


def test_target_that_dies_after_a_create_gets_no_duplicate(
    plant: Plant, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """The next cycle finds the created resource and creates no second one."""
    plant.begin(tmp_path)
    plant.target.die_after(150)
    with plant.disturbed():
        plant.target.await_death()
    plant.target.start()
    plant.converge()
    plant.flip()
    plant.target.die_after(30)
    with plant.disturbed():
        plant.target.await_death()
    plant.target.start()
    plant.converge()

    assert plant.end_state() == undisturbed.end[plant.flipped]
    plant.target.kill()
