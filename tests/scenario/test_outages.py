"""What goes away and comes back: the control plane, and the bus."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenario.installed import (
    COMMAND,
    Installed,
    eventually,
)

BINDINGS = "bindings.json"


@pytest.fixture
def address() -> str:
    """A place that the control plane may come back to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextlib.contextmanager
def serving(topology: Installed, address: str) -> Iterator[None]:
    state = str(topology.state)
    with topology.running("serve", "--state", state, "--listen", address):
        eventually((topology.state / "serve.json").exists, "serve.json")
        yield


@contextlib.contextmanager
def remote_agent(topology: Installed, folder: Path, address: str) -> Iterator[None]:
    """Enrol an agent by hand, while the control plane serves."""
    state = folder / "agents" / "sync01"
    state.mkdir(parents=True)
    export = topology.tree / "data" / "contoso.ldif"
    (state / BINDINGS).write_text(json.dumps({"contoso.com": {"ldif": str(export)}}))
    command = [COMMAND, "agent", "run", "sync01", "--state", folder]
    with (folder / "log").open("wb") as log:
        agent = subprocess.Popen(
            [*command, "--control", f"http://{address}", "--token-stdin"],
            stdin=subprocess.PIPE,
            stderr=log,
            env=topology.environment,
        )
    assert agent.stdin is not None
    try:
        agent.stdin.write(topology("agent", "token", "sync01").out.encode())
        agent.stdin.close()
        eventually(lambda: cycle(topology)["state"] == "succeeded", "the first cycle")
        yield
        assert agent.poll() is None
    finally:
        agent.terminate()
        agent.wait(20)


def cycle(topology: Installed) -> dict[str, Any]:
    ran = topology("job", "run", "contoso-people", "--format", "json")
    return ran.json["jobs"][0]


@pytest.fixture
def remote(topology: Installed) -> Installed:
    file = topology.tree / "tree.yaml"
    file.write_text(file.read_text().replace("run: local", "run: remote"))
    assert topology("apply", "--yes").code == 0
    return topology


def test_the_control_plane_is_away_for_a_minute_and_comes_back(
    remote: Installed, tmp_path: Path, address: str, pytestconfig: pytest.Config
) -> None:
    """The hour is tried with a manual clock: tests/unit/agent/test_bootstrap.py."""
    away = 60 if pytestconfig.getoption("--long") else 10
    with contextlib.ExitStack() as stack:
        with serving(remote, address):
            stack.enter_context(remote_agent(remote, tmp_path / "elsewhere", address))
        time.sleep(away)
        with serving(remote, address):
            eventually(
                lambda: cycle(remote)["state"] == "succeeded",
                "a cycle after the outage",
                seconds=180,
            )
            stack.close()


def test_the_bus_on_another_port_is_found_by_bootstrap(
    remote: Installed, tmp_path: Path, address: str
) -> None:
    port = remote.state / "bus" / "port"
    with contextlib.ExitStack() as stack:
        with serving(remote, address):
            stack.enter_context(remote_agent(remote, tmp_path / "elsewhere", address))
            before = port.read_text()
        port.unlink()
        with serving(remote, address):
            eventually(
                lambda: cycle(remote)["state"] == "succeeded",
                "a cycle over the other port",
                seconds=180,
            )
            assert port.read_text() != before
            stack.close()
