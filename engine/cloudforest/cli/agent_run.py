"""The agent's process: `cloudforest agent run`. No YAML, SQL or web framework here."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.adapters.bus.agent import NatsListener
from cloudforest.adapters.control.http import AgentControlPlaneClient
from cloudforest.agent.answer import Responder
from cloudforest.agent.bindings import HostBinding, load_host_bindings
from cloudforest.agent.identity import (
    AgentFolder,
    AgentIdentity,
    agent_folder,
    enrol,
    load_identity,
)
from cloudforest.agent.service import AgentService
from cloudforest.base import logs
from cloudforest.base.clock import system_clock
from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import MAX_BYTES
from cloudforest.cli import boundary
from cloudforest.cli.help import Command, settings
from cloudforest.control_plane.directories import open_directory
from cloudforest.model.ports.bus import RequestHandler
from cloudforest.model.ports.directory import Directory
from cloudforest.model.registration import Domain

CONTROL_TIMEOUT_SECONDS = 30.0
PAGE_BYTES = 512 * 1024
"""Half of what the bus takes in one message, before compression."""

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The agent's name.")],
    *,
    control: Annotated[
        str,
        typer.Option("--control", metavar="URL", help="The control plane's URL."),
    ],
    state: Annotated[
        Path,
        typer.Option(
            "--state", metavar="DIR", envvar="CLOUDFOREST_STATE", help="State folder."
        ),
    ] = Path(".cloudforest"),
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Enrol with a token from stdin.")
    ] = False,
) -> int:
    """Run an agent beside its directory; it dials out and listens on no port."""
    logs.configure_logging(json=not sys.stderr.isatty())
    # Inside the event loop, no signal would end the wait for a line.
    token = _read_token() if token_stdin else None
    return asyncio.run(_run_agent(name, control, state, token))


async def _run_agent(name: str, url: str, state: Path, token: str | None) -> int:
    folder = agent_folder(state, name)
    async with AgentControlPlaneClient(url, timeout=CONTROL_TIMEOUT_SECONDS) as control:
        identity = await _load_or_enrol(folder, control, token)
        await _make_service(identity, folder, control).run(_make_stop_event())
    return boundary.ExitCode.DONE


def _read_token() -> str:
    token = sys.stdin.readline(MAX_BYTES).strip()
    if not token:
        raise Misconfigured(
            "No token came on standard input; make one with `cloudforest agent token`."
        )
    return token


async def _load_or_enrol(
    folder: AgentFolder, control: AgentControlPlaneClient, token: str | None
) -> AgentIdentity:
    if token is None:
        return load_identity(folder)
    return await enrol(control, folder, token)


def _make_service(
    identity: AgentIdentity, folder: AgentFolder, control: AgentControlPlaneClient
) -> AgentService:
    def open_bound(domain: Domain, binding: HostBinding) -> Directory:
        return open_directory(domain, binding, os.environ)

    def answer(directories: Mapping[str, Directory]) -> RequestHandler:
        return Responder(identity.id, directories, page_bytes=PAGE_BYTES)

    return AgentService(
        identity=identity,
        control=control,
        bus=NatsListener(identity.id, identity.bus_key),
        load_bindings=lambda: load_host_bindings(folder.bindings),
        open_directory=open_bound,
        answerer_factory=answer,
        clock=system_clock,
    )


def _make_stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def main() -> int:
    """Run when the command line begins with `agent run`."""
    app.command(cls=Command, context_settings=settings())(run)
    return boundary.run_command(
        lambda: app(
            args=sys.argv[3:], prog_name="cloudforest agent run", standalone_mode=False
        )
    )
