"""`serve`: the control plane and the provisioning service."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

from typer import Option

from cloudforest.cli import options, terminal
from cloudforest.cli.boundary import ExitCode

if TYPE_CHECKING:
    from cloudforest.control_plane.host import HostedControlPlane


@options.async_command
async def serve(
    *,
    state: options.State = None,
    store: Annotated[
        str | None, Option(help="A database URL. Default: SQLite in STATE.")
    ] = None,
    listen: Annotated[
        str, Option(help="HOST:PORT. Port 0 picks a free port.")
    ] = "127.0.0.1:0",
) -> int:
    from cloudforest.adapters.store.database import open_engine
    from cloudforest.control_plane.assembly import HostOptions
    from cloudforest.control_plane.host import host_control_plane, parse_loopback

    with options.report_as_usage_error():
        parse_loopback(listen)
        if store is not None:
            open_engine(store).dispose()
    host = HostOptions(store=store, listen=listen)
    async with host_control_plane(options.state_folder(state), host) as hosted:
        return await serve_until_signal(hosted, text=True)


async def serve_until_signal(hosted: HostedControlPlane, *, text: bool) -> int:
    """Run the scheduler until SIGINT or SIGTERM; return the exit code."""
    import asyncio

    signals: asyncio.Queue[ExitCode] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, signals.put_nowait, ExitCode.INTERRUPTED)
    loop.add_signal_handler(signal.SIGTERM, signals.put_nowait, ExitCode.DONE)
    if text:
        terminal.print_done(f"Serving at {hosted.url}. Stop with Ctrl-C.")
    async with hosted.plane.run_scheduler():
        return await signals.get()
