"""The local agents of a tree: each a child process with a log and few variables."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import structlog

from cloudforest.adapters.control import ControlPlaneClient
from cloudforest.agent.bindings import (
    HostBinding,
    HostBindings,
    encode_host_bindings,
    load_host_bindings,
    make_host_binding,
)
from cloudforest.agent.identity import AgentFolder, agent_folder
from cloudforest.base.files import read_bounded
from cloudforest.base.processes import end_process, leash_command
from cloudforest.control_plane.state_folder import StateFolder
from cloudforest.model.identity import digest_certificate
from cloudforest.model.registration import Agent, Registration

LOG_NAME = "agent.log"
MAX_LOG_BYTES = 10 * 1024 * 1024
"""Size at which a log moves to `agent.log.1`."""
ROTATE_SECONDS = 60.0
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables without secrets that a process needs to run."""
_RESTART_SECONDS = 5.0
"""Seconds before an agent that ended is started again."""

log = structlog.get_logger()


def rotate_logs(folder: Path, max_bytes: int = MAX_LOG_BYTES) -> None:
    """Move each larger log below STATE/agents to `FILE.1`; one may fail alone.

    It is copied and truncated, not renamed, since the agent keeps its file open: Python
    writes there too before it dies.
    """
    for file in folder.glob(f"*/{LOG_NAME}"):
        try:
            if file.stat().st_size > max_bytes:
                shutil.copyfile(file, file.with_name(f"{file.name}.1"))
                os.truncate(file, 0)
        except OSError as error:
            log.warning("log not shortened", file=str(file), reason=error.strerror)


async def keep_rotating_logs(folder: Path) -> None:
    """Rotate the logs every minute, until cancelled."""
    while True:
        await asyncio.to_thread(rotate_logs, folder)
        await asyncio.sleep(ROTATE_SECONDS)


def make_child_environment(
    bindings: Iterable[HostBinding], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables that a child may see: those of its bindings, and a few."""
    directories = (each.active_directory for each in bindings)
    seen = {each.password.env for each in directories if each}.union(_INHERITED)
    return {name: value for name, value in environment.items() if name in seen}


@dataclass
class LocalAgents:
    """Starts agents beside the control plane at `url`, and ends them with its context.

    Paths of bindings are relative to `tree`.
    """

    state: StateFolder
    url: str
    tree: Path = Path()
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def supervise(self) -> AsyncIterator[Self]:
        rotation = keep_rotating_logs(self.state.path / "agents")
        self._tasks.append(asyncio.create_task(rotation, name="agents' logs"))
        try:
            yield self
        finally:
            for watch in self._tasks:
                watch.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start(
        self, registration: Registration, client: ControlPlaneClient
    ) -> AsyncIterator[str]:
        """Bind, enrol where needed, and start; yield a sentence for each step."""
        domains = registration.domains_by_name()
        tree = self.tree.absolute()
        for agent, folder, enrolled in await self._find_agents(registration, client):
            bindings = {
                name: make_host_binding(domains[name], tree) for name in agent.domains
            }
            folder.write(folder.bindings, encode_host_bindings(bindings))
            yield f"Agent {agent.name}: bound to {', '.join(bindings)}"
            token = None
            if not enrolled:
                token = await client.create_agent_token(agent.name)
                yield f"Agent {agent.name}: one-time token issued"
            await self._launch(agent.name, bindings, token)
            yield f"Agent {agent.name}: started"

    async def start_enrolled(self, client: ControlPlaneClient) -> list[str]:
        """Start the agents that are enrolled in this state; return their names."""
        registration = (await client.load_registration()).registration
        names = []
        for agent, folder, enrolled in await self._find_agents(registration, client):
            if enrolled:
                await self._launch(agent.name, load_host_bindings(folder.bindings))
                names.append(agent.name)
        return names

    async def _find_agents(
        self, registration: Registration | None, client: ControlPlaneClient
    ) -> list[tuple[Agent, AgentFolder, bool]]:
        """Return the local agents, each with its folder, and whether it is enrolled."""
        shown = (await client.status())["agents"]
        known = {each["name"]: each["certificate"] for each in shown}
        found = []
        for agent in registration.agents if registration else ():
            if agent.run == "local":
                digest = known.get(agent.name)
                folder = _find_agent_folder(self.state.path, agent.name, digest)
                enrolled = _digest_certificate(folder) == digest is not None
                found.append((agent, folder, enrolled))
        return found

    async def _launch(
        self, name: str, bindings: HostBindings, token: str | None = None
    ) -> None:
        child = await self._spawn(name, bindings, token)
        watch = asyncio.create_task(self._restart_when_ended(name, bindings, child))
        self._tasks.append(watch)

    async def _restart_when_ended(
        self, name: str, bindings: HostBindings, child: asyncio.subprocess.Process
    ) -> None:
        """Restart the agent when it ends; end it with this task."""
        try:
            while True:
                status = await child.wait()
                file = str(self._log_file(name))
                log.warning("agent ended", agent=name, status=status, log=file)
                await asyncio.sleep(_RESTART_SECONDS)
                child = await self._spawn(name, bindings, None)
        finally:
            await end_process(child)

    def _log_file(self, name: str) -> Path:
        return agent_folder(self.state.path, name).path / LOG_NAME

    async def _spawn(
        self, name: str, bindings: HostBindings, token: str | None
    ) -> asyncio.subprocess.Process:
        command = [sys.executable, "-P", "-m", "cloudforest", "agent", "run", name]
        command += ["--state", str(self.state.path), "--control", self.url]
        command += ["--token-stdin"] if token else []
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = os.open(self._log_file(name), flags, 0o600)
        try:
            child = await asyncio.create_subprocess_exec(
                *leash_command(command),
                stdin=asyncio.subprocess.PIPE,
                stdout=file,
                stderr=file,
                env=make_child_environment(bindings.values(), os.environ),
                # Ctrl-C in the terminal must reach only us: we end the children.
                start_new_session=True,
            )
        finally:
            os.close(file)
        assert child.stdin is not None  # noqa: S101 - it is a pipe
        child.stdin.write((token or "").encode())
        child.stdin.close()
        return child


def _digest_certificate(folder: AgentFolder) -> str | None:
    if not folder.is_enrolled:
        return None
    return digest_certificate(read_bounded(folder.certificate).decode("ascii"))


def _find_agent_folder(state: Path, name: str, certificate: str | None) -> AgentFolder:
    """Return the agent's folder; rename it if the agent was renamed."""
    folder = agent_folder(state, name)
    if certificate is None or folder.path.exists():
        return folder
    for path in folder.path.parent.glob("*/certificate.pem"):
        if _digest_certificate(AgentFolder(path.parent)) == certificate:
            path.parent.rename(folder.path)
            break
    return folder
