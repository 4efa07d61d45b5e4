"""`up` and `serve`: the control plane, and for `up` the tree and its local agents."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.cycles import exit_code, idle, run_jobs
from cloudforest.front.cli.documents import compiled_tree
from cloudforest.front.cli.options import Format, Output, State, Tree, state_folder
from cloudforest.front.cli.planning import plan_against, register
from cloudforest.front.hosting.children import LocalAgents
from cloudforest.front.hosting.connection import host_for_tree
from cloudforest.front.hosting.host import Hosted, Hosting, host
from cloudforest.plan.planfile import SavedPlan


def up(
    tree: Tree = Path(),
    *,
    state: State = None,
    once: Annotated[
        bool, typer.Option("--once", help="Run one cycle of every job, then exit.")
    ] = False,
    output: Output = Format.TEXT,
) -> int:
    """Validate, plan, apply, serve, and run the tree's local agents."""
    return asyncio.run(_up(tree, state, once=once, output=output))


async def _up(tree: Path, state: Path | None, *, once: bool, output: Format) -> int:
    text = output is Format.TEXT
    compiled = compiled_tree(tree)
    if text:
        terminal.done(f"{compiled.documents} documents are valid.")
    desired = compiled.registration
    assert desired is not None  # noqa: S101 - compiled_tree has seen to it
    folder = state_folder(state, tree)
    async with AsyncExitStack() as stack:
        hosted = await stack.enter_async_context(host_for_tree(compiled, folder))
        client = await stack.enter_async_context(hosted.client())
        made = await plan_against(client, desired, impact=True)
        if text:
            terminal.heading("Plan")
            terminal.show_plan(made)
            terminal.heading("Registration")
        saved = SavedPlan(digest=made.digest, plan=made, desired=desired)
        await register(client, saved, output)
        agents = LocalAgents(folder, hosted.url, compiled.folder)
        await stack.enter_async_context(agents.running())
        await _start_agents(agents, client, hosted, text=text)
        if once:
            return await _once(client, output)
        return await _serve(hosted, text=text)


async def _start_agents(
    agents: LocalAgents, client: ControlPlaneClient, hosted: Hosted, *, text: bool
) -> None:
    since = hosted.plane.clock()
    registered = (await client.registration()).registration
    assert registered is not None  # noqa: S101 - it was registered just now
    async for sentence in agents.start(registered, client):
        if text:
            terminal.done(sentence)
    await hosted.plane.await_agents(
        [each.name for each in registered.agents if each.run == "local"], since
    )


async def _once(client: ControlPlaneClient, output: Format) -> int:
    text = output is Format.TEXT
    if text:
        terminal.heading("Cycle")
    jobs = [each["name"] for each in await client.jobs() if each["enabled"]]
    cycles = await run_jobs(client, jobs, progress=text)
    if not text:
        terminal.print_json({"jobs": cycles})
        return exit_code(cycles)
    terminal.show_cycles(cycles)
    _say_next(jobs, nothing_done=all(map(idle, cycles)))
    return exit_code(cycles)


def _say_next(jobs: list[str], *, nothing_done: bool) -> None:
    if nothing_done:
        terminal.done("There was nothing to do: the target is as it should be.")
    terminal.heading("Next")
    job = jobs[0] if jobs else "JOB"
    for command, why in (
        ("cloudforest status", "agents and jobs"),
        (f"cloudforest explain {job} OBJECT", "why one object is as it is"),
        ("cloudforest up", "the same, and a cycle every two minutes"),
    ):
        terminal.out.print(f"  {command:<44} {why}", markup=False, soft_wrap=True)


async def _serve(hosted: Hosted, *, text: bool) -> int:
    if text:
        terminal.done(f"Serving at {hosted.url}; stop with Ctrl-C.")
    async with hosted.plane.scheduling():
        await _stopped()
    return Exit.DONE


async def _stopped() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


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
    return asyncio.run(_serve_alone(state, store, listen))


async def _serve_alone(state: Path | None, store: str | None, listen: str) -> int:
    hosting = Hosting(store=store, listen=listen)
    async with host(state_folder(state), hosting) as hosted:
        return await _serve(hosted, text=True)
