"""The tree's local agents: each its own process, with its own words only."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.agent.bindings import (
    Binding,
    Bindings,
    binding_of,
    dump_bindings,
    load_bindings,
)
from cloudforest.agent.state import AgentFolder, agent_folder
from cloudforest.base.leash import leashed
from cloudforest.front.wiring.state import StateFolder
from cloudforest.model.registration import Agent, Registration

_STOP_SECONDS = 10.0
_ALWAYS = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that say nothing about anybody and change how a process runs at all."""


@dataclass
class LocalAgents:
    """Starts agents beside the control plane at `url`; they end with this context.

    `tree` is what the paths of bindings are relative to.
    """

    state: StateFolder
    url: str
    tree: Path = Path()
    _children: list[asyncio.subprocess.Process] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        try:
            yield self
        finally:
            for child in self._children:
                if child.returncode is None:
                    child.terminate()
            for child in self._children:
                await _ended(child)

    async def start(
        self, registration: Registration, client: ControlPlaneClient
    ) -> AsyncIterator[str]:
        """Bind, enrol where needed, and start; yield a sentence for each step."""
        for agent in registration.agents:
            if agent.run != "local":
                continue
            folder = agent_folder(self.state.path, agent.name)
            bindings = self._bind(folder, agent, registration)
            yield f"Agent {agent.name}: bound to {', '.join(bindings)}"
            token = None
            if not folder.enrolled:
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

    async def start_enrolled(self) -> list[str]:
        """Start the agents that are enrolled on this state; return their names."""
        names = []
        for path in sorted((self.state.path / "agents").iterdir()):
            folder = agent_folder(self.state.path, path.name)
            if folder.enrolled and folder.bindings.exists():
                await self._launch(path.name, load_bindings(folder.bindings), None)
                names.append(path.name)
        return names

    async def _launch(self, name: str, bindings: Bindings, token: str | None) -> None:
        command = [sys.executable, "-P", "-m", "cloudforest", "agent", "run", name]
        command += ["--state", str(self.state.path), "--control", self.url]
        command += ["--token-stdin"] if token else []
        log = agent_folder(self.state.path, name).path / "agent.log"
        with open(log, "ab", opener=_privately) as file:
            child = await asyncio.create_subprocess_exec(
                *leashed(command),
                stdin=asyncio.subprocess.PIPE,
                stdout=file,
                stderr=file,
                env=environment_for(bindings.values(), os.environ),
            )
        self._children.append(child)
        assert child.stdin is not None  # noqa: S101 - it was asked for
        child.stdin.write((token or "").encode())
        child.stdin.close()


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def _ended(child: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()


def environment_for(
    bindings: Iterable[Binding], environment: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables that a child may see: its own documents' and a few more."""
    named = {
        each.active_directory.password.env
        for each in bindings
        if each.active_directory is not None
    }
    return {
        name: environment[name]
        for name in (*_ALWAYS, *named)
        if name is not None and name in environment
    }
