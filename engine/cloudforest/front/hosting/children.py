"""The tree's local agents: each its own process, with its own words only."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import structlog

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.agent.bindings import (
    Bindings,
    binding_of,
    dump_bindings,
    load_bindings,
)
from cloudforest.agent.state import AgentFolder, agent_folder
from cloudforest.base.processes.child import end
from cloudforest.base.processes.leash import leashed
from cloudforest.front.hosting.environment import environment_for
from cloudforest.front.hosting.logs import LOG, keep_small
from cloudforest.front.state import StateFolder
from cloudforest.front.wiring.summaries import certificate_digest
from cloudforest.model.registration import Agent, Registration

_PAUSE_SECONDS = 5.0
"""Before an agent that ended by itself is started again."""

log = structlog.get_logger()


@dataclass
class LocalAgents:
    """Starts agents beside the control plane at `url`; they end with this context.

    `tree` is what the paths of bindings are relative to.
    """

    state: StateFolder
    url: str
    tree: Path = Path()
    _watches: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        logs = self.state.path / "agents"
        self._watches.append(asyncio.create_task(keep_small(logs), name="agents' logs"))
        try:
            yield self
        finally:
            for watch in self._watches:
                watch.cancel()
            await asyncio.gather(*self._watches, return_exceptions=True)

    async def start(
        self, registration: Registration, client: ControlPlaneClient
    ) -> AsyncIterator[str]:
        """Bind, enrol where needed, and start; yield a sentence for each step."""
        known = await _certificates(client)
        for agent in _local(registration):
            folder = _folder(self.state.path, agent.name, known.get(agent.name))
            bindings = self._bind(folder, agent, registration)
            yield f"Agent {agent.name}: bound to {', '.join(bindings)}"
            token = None
            if _digest(folder) != known.get(agent.name):
                token = await client.agent_token(agent.name)
                yield f"Agent {agent.name}: one-time token issued"
            await self._launch(agent.name, bindings, token)
            yield f"Agent {agent.name}: started"

    def _bind(
        self, folder: AgentFolder, agent: Agent, registration: Registration
    ) -> Bindings:
        domains = registration.domains()
        tree = self.tree.absolute()
        bindings = {name: binding_of(domains[name], tree) for name in agent.domains}
        folder.write(folder.bindings, dump_bindings(bindings))
        return bindings

    async def start_enrolled(self, client: ControlPlaneClient) -> list[str]:
        """Start the registered agents that are enrolled on this state; name them."""
        registration = (await client.registration()).registration
        known = await _certificates(client)
        names = []
        for agent in _local(registration):
            folder = _folder(self.state.path, agent.name, known.get(agent.name))
            if folder.enrolled and _digest(folder) == known.get(agent.name):
                await self._launch(agent.name, load_bindings(folder.bindings), None)
                names.append(agent.name)
        return names

    async def _launch(self, name: str, bindings: Bindings, token: str | None) -> None:
        child = await self._spawn(name, bindings, token)
        watch = asyncio.create_task(self._watch(name, bindings, child))
        self._watches.append(watch)

    async def _watch(
        self, name: str, bindings: Bindings, child: asyncio.subprocess.Process
    ) -> None:
        """Start the agent again whenever it ends; end it with this task."""
        try:
            while True:
                status = await child.wait()
                log.warning(
                    "agent ended", agent=name, status=status, log=str(self._log(name))
                )
                await asyncio.sleep(_PAUSE_SECONDS)
                child = await self._spawn(name, bindings, None)
        finally:
            await end(child)

    def _log(self, name: str) -> Path:
        return agent_folder(self.state.path, name).path / LOG

    async def _spawn(
        self, name: str, bindings: Bindings, token: str | None
    ) -> asyncio.subprocess.Process:
        command = [sys.executable, "-P", "-m", "cloudforest", "agent", "run", name]
        command += ["--state", str(self.state.path), "--control", self.url]
        command += ["--token-stdin"] if token else []
        file = os.open(self._log(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            child = await asyncio.create_subprocess_exec(
                *leashed(command),
                stdin=asyncio.subprocess.PIPE,
                stdout=file,
                stderr=file,
                env=environment_for(bindings.values(), os.environ),
                # Ctrl-C in a terminal is for us: we end it, and start no other.
                start_new_session=True,
            )
        finally:
            os.close(file)
        assert child.stdin is not None  # noqa: S101 - it was asked for
        child.stdin.write((token or "").encode())
        child.stdin.close()
        return child


def _local(registration: Registration | None) -> list[Agent]:
    agents = registration.agents if registration else ()
    return [each for each in agents if each.run == "local"]


async def _certificates(client: ControlPlaneClient) -> dict[str, str | None]:
    """Return the digest of each agent's certificate, as the control plane has it."""
    agents = (await client.status())["agents"]
    return {each["name"]: each["certificate"] for each in agents}


def _digest(folder: AgentFolder) -> str:
    if not folder.enrolled:
        return "not enrolled"
    return certificate_digest(folder.certificate.read_text(encoding="ascii"))


def _folder(state: Path, name: str, certificate: str | None) -> AgentFolder:
    """Return the agent's folder; one that it was enrolled in by another name moves."""
    folder = agent_folder(state, name)
    if certificate is None or folder.path.exists():
        return folder
    for path in folder.path.parent.glob("*/certificate.pem"):
        if _digest(AgentFolder(path.parent)) == certificate:
            path.parent.rename(folder.path)
            break
    return folder
