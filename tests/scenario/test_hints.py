"""A change in Active Directory reaches the target by a hint, before the interval."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.servers.contoso import PEOPLE, staff
from tests.servers.samba import Contoso
from tests.servers.scim import ScimServer
from tests.support.installed import (
    PASSWORD,
    TOKEN,
    Installed,
    active_directory,
    eventually,
    scim_target,
    write_tree,
)

INTERVAL = 600
SETTLED = 5.0
"""Seconds until the change search that began before the first cycle stays open."""
LIMIT = INTERVAL / 3


@pytest.fixture
def target(scim_server: Callable[[], ScimServer]) -> ScimServer:
    return scim_server()


@pytest.fixture
def serving(
    tmp_path: Path, contoso: Contoso, target: ScimServer
) -> Iterator[Installed]:
    """Run `up` with the next scheduled cycle minutes away."""
    samba = contoso.samba
    write_tree(
        tmp_path / "tree",
        source=active_directory(samba.url, samba.ca, contoso.delegated.username),
        target=scim_target(target.url),
        scope=f"organizationalUnits: ['{PEOPLE}']",
        more=f"interval: {INTERVAL // 60}m",
    )
    secrets = {PASSWORD: contoso.delegated.password, TOKEN: target.token}
    up = Installed(tmp_path / "tree", secrets)
    with up.running("up"):
        eventually((up.state / "serve.json").exists, "serve.json", seconds=LIMIT)
        eventually(lambda: state(up) == "succeeded", "a first cycle", seconds=LIMIT)
        time.sleep(SETTLED)
        yield up


def state(up: Installed) -> str:
    [job] = up("status", "--format", "json").json["jobs"]
    return job["state"]


def title(target: ScimServer) -> str | None:
    [found] = [each for each in target.users() if each["userName"] == "p06@contoso.com"]
    return found.get("title")


@pytest.mark.usefixtures("serving")
def test_change_is_written_long_before_the_interval_ends(
    contoso: Contoso, target: ScimServer
) -> None:
    before = target.writes()

    contoso.samba.modify(staff(6), title=["Hinted"])

    eventually(lambda: title(target) == "Hinted", "the write", seconds=LIMIT)
    assert target.writes() == before + 1
