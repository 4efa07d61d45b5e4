"""SCIM server fixtures: a third-party one, our own, and one that misbehaves."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from tests.servers.hostile import Hostile, HostileServer
from tests.servers.scim_server import ScimServer

from cloudforest.adapters.store.database import Database
from cloudforest.adapters.store.tenant import TenantDirectory
from cloudforest.control_plane.host import listen_on_loopback, socket_url
from cloudforest.control_plane.tenant.app import make_directory_app

TOKEN = "a-token-for-tests"

StartScimServer = Callable[[], ScimServer]


def _ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[str]
    root: str


def _start_scim2_server() -> _Running:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("scim_runner.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(TOKEN + "\n")
    process.stdin.flush()
    port = process.stdout.readline().strip()
    assert port.isdecimal(), "scim2-server did not start"
    return _Running(process, f"http://127.0.0.1:{port}")


def _stop(process: subprocess.Popen[str]) -> None:
    with process:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def _idle_scim_servers() -> Iterator[list[_Running]]:
    """Keep processes between tests: starting one takes longer than most tests."""
    idle: list[_Running] = []
    yield idle
    for each in idle:
        _stop(each.process)


@pytest.fixture
def scim_server(_idle_scim_servers: list[_Running]) -> Iterator[StartScimServer]:
    """Start empty scim2-servers: `server = scim_server()`."""
    running: list[_Running] = []

    def start() -> ScimServer:
        one = _idle_scim_servers.pop() if _idle_scim_servers else _start_scim2_server()
        running.append(one)
        _ask(f"{one.root}/__reset__")
        return ScimServer(
            f"{one.root}/v2",
            TOKEN,
            lambda: _ask(f"{one.root}/__counts__"),
            lambda: _ask(f"{one.root}/__requests__"),
        )

    yield start
    _idle_scim_servers.extend(running)


def _counting(app: Any, counts: dict[str, int]) -> Any:
    async def counted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            method = scope["method"]
            counts[method] = counts.get(method, 0) + 1
        await app(scope, receive, send)

    return counted


def _serve(server: uvicorn.Server, listener: socket.socket) -> threading.Thread:
    def run() -> None:
        asyncio.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the tenant directory did not start"
        threading.Event().wait(0.01)
    return thread


@pytest.fixture
def tenant_server(tmp_path: Path) -> Iterator[ScimServer]:
    """Serve the built-in directory, empty, over HTTP."""
    database = Database(f"sqlite:///{tmp_path / 'tenant.db'}")
    counts: dict[str, int] = {}
    app = make_directory_app(
        TenantDirectory(database), authorized=lambda token: token == TOKEN
    )
    config = uvicorn.Config(_counting(app, counts), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    with listen_on_loopback("127.0.0.1:0") as listener:
        thread = _serve(server, listener)
        yield ScimServer(socket_url(listener), TOKEN, lambda: dict(counts))
        server.should_exit = True
        thread.join(10)
    database.close()


@pytest.fixture
def hostile_server() -> Iterator[Callable[[Hostile], HostileServer]]:
    """Start servers with chosen answers: `server = hostile_server(answer)`."""
    running: list[HostileServer] = []

    def start(answer: Hostile) -> HostileServer:
        server = HostileServer(answer)
        running.append(server)
        return server

    yield start
    for each in running:
        each.close()
