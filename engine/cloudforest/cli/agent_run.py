"""`agent run`: the process of an agent, without YAML, SQL or a web framework."""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import MAX_BYTES

CONTROL_TIMEOUT_SECONDS = 30.0


def run(
    name: Annotated[str, Argument(metavar="NAME", help="The agent's name.")],
    *,
    control: Annotated[
        str, Option("--control", metavar="URL", help="The URL of the control plane.")
    ],
    state: Annotated[
        Path, Option(metavar="DIR", envvar="CLOUDFOREST_STATE", help="State folder.")
    ] = Path(".cloudforest"),
    token_stdin: Annotated[
        bool, Option("--token-stdin", help="Enrol with a token from stdin.")
    ] = False,
) -> None:
    import asyncio

    from cloudforest.base import logs

    logs.configure_logging(json=not sys.stderr.isatty())
    # Not in the event loop: there, no signal would end the wait for a line.
    token = _read_token() if token_stdin else None
    asyncio.run(_run_agent(name, control, state, token))


def _read_token() -> str:
    token = sys.stdin.readline(MAX_BYTES).strip()
    if not token:
        raise Misconfigured(
            "No token on standard input. Get one: `cloudforest agent token NAME`."
        )
    return token


async def _run_agent(name: str, url: str, state: Path, token: str | None) -> None:
    import asyncio

    from cloudforest.adapters.bus.agent import NatsListener
    from cloudforest.adapters.control import AgentControlPlaneClient
    from cloudforest.agent.answer import Responder
    from cloudforest.agent.bindings import load_host_bindings
    from cloudforest.agent.domains import ServedDomains
    from cloudforest.agent.identity import agent_folder, enrol, load_identity
    from cloudforest.agent.service import AgentService
    from cloudforest.base.clock import system_clock
    from cloudforest.control_plane.directories import open_directory
    from cloudforest.model.messages import PAGE_BYTES

    folder = agent_folder(state, name)
    async with AgentControlPlaneClient(url, timeout=CONTROL_TIMEOUT_SECONDS) as control:
        identity = (
            load_identity(folder)
            if token is None
            else await enrol(control, folder, token)
        )
        bus = NatsListener(identity.id, identity.bus_key)
        service = AgentService(
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
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await service.run(stop)
