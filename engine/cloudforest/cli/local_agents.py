"""The tree's local agents: each its own process, with its own words only.

The logs of local agents: bounded, with one older part beside each.

What a child may see of our environment.
"""

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

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.agent.bindings import (
    Binding,
    Bindings,
    binding_of,
    dump_bindings,
    load_bindings,
)
from cloudforest.agent.identity import AgentFolder, agent_folder
from cloudforest.base.processes import end, leashed
from cloudforest.control_plane.shapes import certificate_digest
from cloudforest.control_plane.state_folder import StateFolder
from cloudforest.model.registration import Agent, Registration

LOG = "agent.log"
LARGEST = 10 * 1024 * 1024
"""Bytes of a log, which is then copied to `agent.log.1` and begun again."""
LOOK_SECONDS = 60.0


def shorten(file: Path, largest: int = LARGEST) -> None:
    """Begin a log that is larger anew; what it held replaces `FILE.1`.

    It is copied and cut, not renamed: the agent writes on where its file ends, and
    what Python itself says before it dies goes to the same file.
    """
    if file.stat().st_size > largest:
        shutil.copyfile(file, file.with_name(f"{file.name}.1"))
        os.truncate(file, 0)


def shorten_all(folder: Path, largest: int = LARGEST) -> None:
    """Shorten the logs of the agents in STATE/agents; one that resists stops none."""
    for file in folder.glob(f"*/{LOG}"):
        try:
            shorten(file, largest)
        except OSError as error:
            log.warning("log not shortened", file=str(file), reason=error.strerror)


async def keep_small(folder: Path) -> None:
    """Shorten them until cancelled."""
    while True:
        await asyncio.to_thread(shorten_all, folder)
        await asyncio.sleep(LOOK_SECONDS)


_ALWAYS = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that say nothing about anybody and change how a process runs at all."""


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
