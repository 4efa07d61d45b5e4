"""The plant, and the end state of its 300 objects without a kill."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.scenario.kills.plant import Plant
from tests.servers.controller import provisioned
from tests.servers.durable import DurableServer
from tests.support.kills import Undisturbed
from tests.support.service import tree_of


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    folder = tmp_path_factory.mktemp("plant")
    with provisioned(folder) as controller:
        samba = controller.samba
        account = samba.account("svc-sync")
        samba.let_replicate("svc-sync", deleted=True)
        service = tree_of(folder / "tree", samba, account)
        made = Plant(controller, service, DurableServer(folder))
        made.fill()
        made.up = service.start()
        yield made
        made.kill("service")


@pytest.fixture(scope="module")
def undisturbed(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    seconds = (0.0, 0.0)
    end = {}
    for _ in range(2):
        plant.begin(tmp_path_factory.mktemp("undisturbed"))
        began = time.monotonic()
        plant.converge()
        between = time.monotonic()
        plant.flip()
        changed = time.monotonic()
        plant.converge()
        seconds = (between - began, time.monotonic() - changed)
        end[plant.flipped] = plant.end_state()
        plant.target.kill()
    return Undisturbed(seconds, end)
