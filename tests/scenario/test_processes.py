"""The secrets and ports of the processes, and what they leave behind."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
from pathlib import Path

from tests.support.canaries import assert_nowhere
from tests.support.installed import (
    COMMAND,
    PASSWORD,
    TOKEN,
    Installed,
    active_directory,
    alive,
    descendants,
    eventually,
    scim_target,
    write_tree,
)

LISTENING = "0A"
"""The state of a listening socket in /proc/net/tcp."""


def is_agent(command: list[str]) -> bool:
    return "agent" in command and "cloudforest.base.processes" not in command


def agent_of(pid: int) -> int | None:
    found = [each for each, words in descendants(pid).items() if is_agent(words)]
    return found[0] if found else None


def sockets(pid: int) -> set[str]:
    links = (Path(each).readlink() for each in Path(f"/proc/{pid}/fd").iterdir())
    return {
        match[1]
        for link in links
        if (match := re.match(r"socket:\[(\d+)\]", str(link)))
    }


def listening(pid: int) -> set[str]:
    """Return the inodes of the listening sockets of a process."""
    rows = []
    for table in ("tcp", "tcp6"):
        rows += Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    heard = {row.split()[9] for row in rows if row.split()[3] == LISTENING}
    return heard & sockets(pid)


def serving(topology: Installed) -> bool:
    ran = topology("status", "--format", "json")
    return ran.code == 0 and any(
        each["lastBootstrap"] and each["state"] == "active"
        for each in ran.json["agents"]
    )


def test_agent_listens_on_no_port_and_up_leaves_no_orphan(
    topology: Installed,
) -> None:
    with topology.running("up") as process:
        eventually(lambda: serving(topology), "the agent's bootstrap")
        agent = agent_of(process.pid)
        assert agent is not None
        assert listening(process.pid)
        assert listening(agent) == set()
        children = descendants(process.pid)
        assert any("nats-server" in words[0] for words in children.values())

    assert process.returncode == 130
    assert not [pid for pid in children if alive(pid)]


def test_killed_control_plane_leaves_no_orphan(topology: Installed) -> None:
    with topology.running("up") as process:
        eventually(lambda: serving(topology), "the agent's bootstrap")
        children = descendants(process.pid)
        process.kill()
        process.wait()
        eventually(
            lambda: not [pid for pid in children if alive(pid)],
            "the end of all children",
        )


def test_up_terminated_before_it_serves_prints_no_error(
    topology: Installed, tmp_path: Path
) -> None:
    """Its plan waits for a target that never answers."""
    waiting = Installed(topology.tree, {TOKEN: "t", "TMPDIR": str(tmp_path)})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(120)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        target = f"scim: {address}\nauth: {{bearer: {{env: {TOKEN}}}}}"
        topology.edit("\nscim: embedded", f"\n{target}")
        with waiting.running("up") as process:
            held, _ = silent.accept()
            with held:
                children = descendants(process.pid)
                process.terminate()
                process.wait(60)
                assert process.stderr is not None
                said = process.stderr.read()

    assert (process.returncode, said) == (130, "")
    assert children
    assert not [pid for pid in children if alive(pid)]
    assert not list(tmp_path.glob("cloudforest-bug-*"))


def test_client_that_disconnects_mid_request_causes_no_bug_report(
    topology: Installed, tmp_path: Path
) -> None:
    served = Installed(topology.tree, {"TMPDIR": str(tmp_path)})
    with served.running("up"):
        eventually(lambda: serving(served), "the agent's bootstrap")
        url = json.loads((served.state / "serve.json").read_text())["url"]
        host, port = url.removeprefix("http://").split(":")
        token = (served.state / "keys" / "operator.token").read_text().strip()
        head = f"POST /impact HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}"
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"{head}\r\nContent-Length: 100\r\n\r\n{{".encode())
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""  # the server has closed the connection
        assert served("status").code == 0

    assert not list(tmp_path.glob("cloudforest-bug-*"))


def test_one_signal_ends_an_agent_that_waits_for_its_token(
    tmp_path: Path,
) -> None:
    command = ("agent", "run", "a", "--control", "http://127.0.0.1:1", "--token-stdin")
    with subprocess.Popen(
        [COMMAND, *command],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        process.stdin.write("half a to")
        process.stdin.flush()
        pipe = process.stdin.fileno()
        unread = lambda: fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))  # noqa: E731
        eventually(lambda: unread() == bytes(4), "its wait for the rest of the token")
        process.send_signal(signal.SIGINT)
        process.wait(60)
        assert process.stderr is not None
        assert (process.returncode, process.stderr.read()) == (130, "")


def test_agent_gets_only_the_variables_that_its_documents_name(
    tmp_path: Path,
) -> None:
    """The directory does not answer. The test reads the environment of the agent."""
    write_tree(
        tmp_path / "tree",
        source=active_directory(
            "ldaps://127.0.0.1:1", Path("ca.pem"), "svc@contoso.com"
        ),
        target=scim_target("http://127.0.0.1:1"),
        scope="organizationalUnits: all",
    )
    secrets = {PASSWORD: "canary-password", TOKEN: "canary-token"}
    cloudforest = Installed(tmp_path / "tree", {**secrets, "OTHER": "canary-other"})
    with cloudforest.running("up") as process:
        agent = eventually(lambda: agent_of(process.pid), "the agent's start")
        eventually(lambda: serving(cloudforest), "the agent's bootstrap")
        environment = Path(f"/proc/{agent}/environ").read_text()
        commands = descendants(process.pid).values()

    assert "canary-password" in environment
    assert "canary-token" not in environment
    assert "canary-other" not in environment
    assert not [words for words in commands if "canary" in " ".join(words)]
    assert_nowhere(tmp_path, "canary-password", "canary-token")


def test_agent_imports_no_yaml_sql_or_web_framework(tmp_path: Path) -> None:
    """It ends because it is not enrolled, after all imports."""
    script = (
        "import atexit, sys; from cloudforest.__main__ import main\n"
        "atexit.register(lambda: print('\\n'.join(sys.modules))); main()"
    )
    words = ["agent", "run", "sync01", "--control", "http://127.0.0.1:1"]
    done = subprocess.run(
        [sys.executable, "-c", script, *words, "--state", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Enrol the agent" in done.stderr
    loaded = done.stdout.splitlines()
    assert "cloudforest.agent.service" in loaded
    forbidden = {"ruamel", "yaml", "sqlalchemy", "starlette", "uvicorn", "jinja2"}
    forbidden |= {"alembic", "psycopg"}
    assert not forbidden & {each.split(".")[0] for each in loaded}
    assert "aiohttp.web" not in loaded


def test_local_agent_that_dies_is_restarted(topology: Installed) -> None:
    with topology.running("up") as process:
        eventually(lambda: serving(topology), "the agent's bootstrap")
        first = agent_of(process.pid)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(
            lambda: agent_of(process.pid) not in (None, first), "another agent's start"
        )
        eventually(lambda: answered(topology), "an answer of the other agent")


def answered(topology: Installed) -> bool:
    return topology("explain", "contoso-people", "mail=nobody@contoso.com").code == 1
