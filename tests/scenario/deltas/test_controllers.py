"""Two controllers of one domain: failover, and a lagging controller."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.servers.contoso import Account
from tests.servers.controller import Controller, provisioned
from tests.servers.replica import JOINABLE, pull, replicated
from tests.servers.scim import ScimServer
from tests.support.lab import Lab, make_lab
from tests.support.sent import disabled, new, patch, these
from tests.support.service import Service, running, tree_of
from tests.support.stored import forget_watermark


@dataclass(frozen=True)
class Pair:
    first: Controller
    second: Controller
    account: Account


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with provisioned(folder, services=JOINABLE) as first:
        account = first.samba.account("svc-sync")
        first.samba.let_replicate("svc-sync", deleted=True)
        with replicated(first, folder / "second") as second:
            yield Pair(first, second, account)


@pytest.fixture(scope="module")
def service(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    first, second = pair.first.samba, pair.second.samba
    folder = tmp_path_factory.mktemp("service") / "tree"
    tree = tree_of(folder, first, pair.account, first.url, second.url)
    with running(tree) as service:
        yield service


@pytest.fixture
def lab(
    pair: Pair,
    service: Service,
    scim_server: Callable[[], ScimServer],
    tmp_path: Path,
) -> Iterator[Lab]:
    with pair.first.samba.connection() as connection:
        yield make_lab(service, scim_server(), connection, tmp_path)


@contextlib.contextmanager
def only(up: Controller, *, down: Controller) -> Iterator[None]:
    """One controller answers, the other does not."""
    if up.process is None:
        up.start()
    down.kill()
    try:
        yield
    finally:
        down.start()


def test_failover_reuses_the_cookie_of_the_first_controller(
    lab: Lab, pair: Pair
) -> None:
    first, second = pair.first, pair.second
    anna, bo, _ = lab.people("anna", "bo", "cy")
    pull(second.samba, first.samba)
    with only(first, down=second):
        lab.cycle()

    with only(second, down=first), second.samba.connection() as connection:
        there = replace(lab, connection=connection)
        there.modify(anna, title=["Head"])
        there.delete(bo)
        sent = lab.cycle()

    assert lab.last["cycle"] == "incremental"
    assert sent == these(patch("User", "anna", new("title", "Head")), disabled("bo"))


def test_lagging_controller_deprovisions_nobody(lab: Lab, pair: Pair) -> None:
    first, second = pair.first, pair.second
    lab.people("anna", "bo")
    pull(second.samba, first.samba)
    late = [f"late{number:02}" for number in range(20)]
    lab.people(*late)
    lab.group("team", f"CN=anna,{lab.unit}", f"CN=late01,{lab.unit}")
    with only(first, down=second):
        lab.cycle()
    assert len(lab.users()) == 22

    with only(second, down=first):
        assert lab.requests() == []
        forget_watermark(lab)
        assert lab.requests() == []
        assert lab.last["cycle"] == "initial"
        status = lab.service.status(lab.name)
        assert status["unknown"] == 21

    pull(second.samba, first.samba)
    assert lab.requests() == []
    assert lab.service.status(lab.name)["unknown"] == 0
    lab.settled()
