"""Control plane, bus and one of two agents go down and come back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.scim import StartScimServer
from tests.support.installed import (
    COMMAND,
    TOKEN,
    Installed,
    alive,
    descendants,
    eventually,
    scim_target,
    write_tree,
)

BINDINGS = "bindings.json"


@pytest.fixture
def address() -> str:
    """An address that the control plane can use again."""
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
    """Enrol an agent with a token, while the control plane serves."""
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
        eventually(lambda: succeeds(topology), "the first cycle")
        yield
        assert agent.poll() is None
    finally:
        agent.terminate()
        agent.wait(60)


def succeeds(topology: Installed) -> bool:
    ran = topology("job", "run", "contoso-people", "--format", "json")
    if "already running" in ran.err:
        # The scheduled cycle came first.
        return False
    assert ran.out, ran
    return ran.json["jobs"][0]["state"] == "succeeded"


@pytest.fixture
def remote(topology: Installed) -> Installed:
    topology.edit("run: local", "run: remote")
    assert topology("apply", "--yes").code == 0
    return topology


def test_agent_survives_a_control_plane_that_is_down_for_a_minute(
    remote: Installed, tmp_path: Path, address: str, pytestconfig: pytest.Config
) -> None:
    """tests/unit/agent/test_service_away.py covers an hour, with a manual clock."""
    away = 60 if pytestconfig.getoption("--long") else 10
    with contextlib.ExitStack() as stack:
        with serving(remote, address):
            stack.enter_context(remote_agent(remote, tmp_path / "elsewhere", address))
        time.sleep(away)
        with serving(remote, address):
            eventually(
                lambda: succeeds(remote),
                "a cycle after the outage",
                seconds=180,
            )
            stack.close()


def test_bootstrap_finds_the_bus_on_another_port(
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
                lambda: succeeds(remote),
                "a cycle over the other port",
                seconds=180,
            )
            assert port.read_text() != before
            stack.close()


def taken_from(pid: int, port: int) -> socket.socket:
    """Kill the bus and take its port before it restarts."""
    while True:
        with contextlib.suppress(OSError):
            for child, words in descendants(pid).items():
                if "nats-server" in words[0]:
                    os.kill(child, signal.SIGKILL)
            return socket.create_server(("127.0.0.1", port))


def test_bus_moves_when_its_port_is_taken_and_agents_find_it(
    topology: Installed,
) -> None:
    # An interrupted cycle would wait half a minute for the agent to continue.
    topology.edit("kind: Job\n", "kind: Job\nenabled: false\n")
    file = topology.state / "bus" / "port"
    with topology.running("up") as process:
        assert process.stdout is not None
        assert any("Serving" in line for line in process.stdout)
        before = int(file.read_text())
        with taken_from(process.pid, before):
            eventually(lambda: succeeds(topology), "a cycle after", seconds=180)
        assert int(file.read_text()) != before
    log = next(topology.state.glob("agents/*/agent.log")).read_text()
    # The agent reconnects at once, not at the next bootstrap in ten minutes.
    assert log.index("bus lost") < log.rindex("bus connected")


@pytest.fixture
def forest(tmp_path: Path) -> Path:
    """An export that takes long to read."""
    path = tmp_path / "contoso.ldif"
    script = Path(__file__).parents[2] / "scripts" / "make_forest.py"
    subprocess.run(
        [sys.executable, script, "--people", "5000", "--out", path], check=True
    )
    return path


def test_second_agent_takes_over_when_the_first_is_killed(
    tmp_path: Path, forest: Path, scim_server: StartScimServer
) -> None:
    target = scim_server()
    tree = tmp_path / "tree"
    write_tree(
        tree,
        source=f"{{ldif: {forest}}}",
        target=scim_target(target.url),
        scope=(
            "organizationalUnits: all, filters: "
            "{user: 'mail sw \"ab\"', group: 'cn eq \"none\"'}"
        ),
        more="interval: 24h\nenabled: false",
    )
    with (tree / "tree.yaml").open("a") as file:
        file.write("---\n{kind: Agent, name: sync02, domains: [contoso.com], ")
        file.write("run: local}\n")
    cloudforest = Installed(tree, {TOKEN: target.token})
    with cloudforest.running("up") as process:
        eventually(lambda: both_listen(cloudforest), "two agents that listen")
        agents = [
            pid
            for pid, words in descendants(process.pid).items()
            if "agent" in words and "cloudforest.base.processes" not in words
        ]
        assert len(agents) == 2
        before = {pid: worked(pid) for pid in agents}
        running = subprocess.Popen(
            [COMMAND, "job", "run", "people", "--format", "json"],
            cwd=tree,
            env=cloudforest.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        busy = eventually(
            lambda: next((p for p in agents if worked(p) > before[p] + 0.2), None),
            "an agent at work",
        )
        os.kill(busy, signal.SIGKILL)
        out, _ = running.communicate(timeout=120)
        assert not alive(busy)
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=60)

    assert "asking again" in log
    [ended] = json.loads(out)["jobs"]
    assert ended["state"] == "succeeded", ended
    assert len(target.users()) == ended["counts"]["inScope"] > 0


def worked(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def both_listen(topology: Installed) -> bool:
    """Return whether both have opened the domain, and are idle."""
    logs = [path.read_text() for path in topology.state.glob("agents/*/agent.log")]
    return sum("directory answers" in each for each in logs) == 2
