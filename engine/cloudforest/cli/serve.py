"""Command."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.adapters.store.database import open_engine
from cloudforest.cli import terminal
from cloudforest.cli.boundary import Exit
from cloudforest.cli.options import State, state_folder, usage
from cloudforest.control_plane.host import Hosted, Hosting, host, loopback


async def _serve(hosted: Hosted, *, text: bool) -> int:
    came = _signals()
    if text:
        terminal.done(f"Serving at {hosted.url}; stop with Ctrl-C.")
    async with hosted.plane.scheduling():
        return await came.get()


def _signals() -> asyncio.Queue[Exit]:
    """Return where it is told that a signal came, and what it means."""
    came: asyncio.Queue[Exit] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, came.put_nowait, Exit.INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, came.put_nowait, Exit.DONE)
    return came


def serve(
    *,
    state: State = None,
    store: Annotated[
        str | None,
        typer.Option("--store", help="A database URL; SQLite in STATE otherwise."),
    ] = None,
    listen: Annotated[
        str, typer.Option("--listen", help="HOST:PORT; port 0 takes a free one.")
    ] = "127.0.0.1:0",
) -> int:
    """Run the control plane and the provisioning service."""
    with usage():
        loopback(listen)
        if store is not None:
            open_engine(store).dispose()
    return asyncio.run(_serve_alone(state, store, listen))


async def _serve_alone(state: Path | None, store: str | None, listen: str) -> int:
    hosting = Hosting(store=store, listen=listen)
    async with host(state_folder(state), hosting) as hosted:
        return await _serve(hosted, text=True)
