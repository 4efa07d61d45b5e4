"""`agent run`: the process of an agent, without YAML, SQL or a web framework."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.adapters.bus.agent import NatsListener
from cloudforest.adapters.control import AgentControlPlaneClient
from cloudforest.agent.answer import Responder
from cloudforest.agent.bindings import load_host_bindings
from cloudforest.agent.domains import ServedDomains
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

CONTROL_TIMEOUT_SECONDS = 30.0
PAGE_BYTES = 512 * 1024
"""Half of a bus message's limit, before compression."""

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The agent's name.")],
    *,
    control: Annotated[
        str,
        typer.Option("--control", metavar="URL", help="The URL of the control plane."),
    ],
    state: Annotated[
        Path,
        typer.Option(
            "--state",
            metavar="DIR",
            envvar="CLOUDFOREST_STATE",
            help="State folder.",
        ),
    ] = Path(".cloudforest"),
    token_stdin: Annotated[
        bool,
        typer.Option("--token-stdin", help="Enrol with a token from stdin."),
    ] = False,
) -> int:
    """Run an agent beside its directory. It only dials out and opens no port."""
    logs.configure_logging(json=not sys.stderr.isatty())
    # Not in the event loop: there, no signal would end the wait for a line.
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
            "No token on standard input. Get one: `cloudforest agent token NAME`."
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
    bus = NatsListener(identity.id, identity.bus_key)
    return AgentService(
        identity=identity,
        control=control,
        bus=bus,
        load_bindings=lambda: load_host_bindings(folder.bindings),
        domains=ServedDomains(
            bus,
            open_directory=open_directory,
            answerer_factory=partial(Responder, identity.id, page_bytes=PAGE_BYTES),
            clock=system_clock,
        ),
        clock=system_clock,
    )


def _make_stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def main() -> int:
    """Run the command line `cloudforest agent run …`."""
    app.command(cls=Command, context_settings=settings())(run)
    return boundary.run_command(
        lambda: app(
            args=sys.argv[3:], prog_name="cloudforest agent run", standalone_mode=False
        )
    )
