"""Command."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.adapters.store.database import open_engine
from cloudforest.cli import terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.options import StateOption, report_as_usage_error, state_folder
from cloudforest.control_plane.host import (
    HostedControlPlane,
    HostOptions,
    host_control_plane,
    parse_loopback,
)


async def _serve_until_signal(hosted: HostedControlPlane, *, text: bool) -> int:
    came = _listen_for_signals()
    if text:
        terminal.print_done(f"Serving at {hosted.url}; stop with Ctrl-C.")
    async with hosted.plane.run_scheduler():
        return await came.get()


def _listen_for_signals() -> asyncio.Queue[ExitCode]:
    """Return where it is told that a signal came, and what it means."""
    came: asyncio.Queue[ExitCode] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, came.put_nowait, ExitCode.INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, came.put_nowait, ExitCode.DONE)
    return came


def serve(
    *,
    state: StateOption = None,
    store: Annotated[
        str | None,
        typer.Option("--store", help="A database URL; SQLite in STATE otherwise."),
    ] = None,
    listen: Annotated[
        str, typer.Option("--listen", help="HOST:PORT; port 0 takes a free one.")
    ] = "127.0.0.1:0",
) -> int:
    """Run the control plane and the provisioning service."""
    with report_as_usage_error():
        parse_loopback(listen)
        if store is not None:
            open_engine(store).dispose()
    return asyncio.run(_host_and_serve(state, store, listen))


async def _host_and_serve(state: Path | None, store: str | None, listen: str) -> int:
    hosting = HostOptions(store=store, listen=listen)
    async with host_control_plane(state_folder(state), hosting) as hosted:
        return await _serve_until_signal(hosted, text=True)
