"""`up` and `serve`: the control plane, and for `up` the tree and its local agents."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.errors import Misconfigured
from cloudforest.cli import plan, terminal
from cloudforest.cli.apply import register
from cloudforest.cli.connection import host_for_tree
from cloudforest.cli.cycles import exit_code, idle, run_jobs, show_cycles, startable
from cloudforest.cli.local_agents import LocalAgents
from cloudforest.cli.options import (
    Format,
    Output,
    State,
    Tree,
    state_folder,
    state_to_say,
)
from cloudforest.cli.plan import commit_of, plan_against
from cloudforest.cli.serve import _serve
from cloudforest.cli.validate import compiled_tree
from cloudforest.control_plane.host import Hosted
from cloudforest.model.cycles import LogQuery


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
    compiled, desired = compiled_tree(tree)
    commit = commit_of(tree)
    if text:
        terminal.done(f"{compiled.documents} documents are valid.")
    if compiled.service is not None and compiled.service.url is not None:
        raise Misconfigured(
            f"This tree's control plane is {compiled.service.url}, so there is none to "
            "run here; use `cloudforest apply`, and `cloudforest agent run NAME`."
        )
    folder = state_folder(state, tree)
    async with AsyncExitStack() as stack:
        hosted = await stack.enter_async_context(host_for_tree(compiled, folder))
        client = await stack.enter_async_context(hosted.client())
        saved = await plan_against(client, desired, impact=True, progress=text)
        if text:
            terminal.heading("Plan")
            plan.show_plan(saved.plan, state_to_say(state, tree))
            terminal.heading("Registration")
        await register(client, replace(saved, commit=commit), desired, output)
        agents = LocalAgents(folder, hosted.url, compiled.folder)
        await stack.enter_async_context(agents.running())
        await _start_agents(agents, client, hosted, text=text)
        if once:
            return await _once(client, tree, state, output)
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
    names = [each.name for each in registered.agents if each.run == "local"]
    await hosted.plane.await_agents(names, since)
    if text:
        for name in names:
            terminal.done(f"Agent {name}: enrolled and bootstrapped")


async def _once(
    client: ControlPlaneClient, tree: Path, state: Path | None, output: Format
) -> int:
    text = output is Format.TEXT
    if text:
        terminal.heading("Cycle")
    jobs = await startable(client)
    cycles = await run_jobs(client, jobs, state_to_say(state, tree), progress=text)
    if not text:
        terminal.print_json({"jobs": cycles})
        return exit_code(cycles)
    show_cycles(cycles, state_to_say(state, tree))
    if cycles and all(map(idle, cycles)):
        terminal.done("There was nothing to do: the target is as it should be.")
    await _say_next(client, tree, state, jobs)
    return exit_code(cycles)


async def _say_next(
    client: ControlPlaneClient, tree: Path, state: Path | None, jobs: list[str]
) -> None:
    """Name commands that work as they stand here, with an object that is there."""
    named = state_to_say(state, tree)
    terminal.heading("Next")
    for job in jobs[:1]:
        async for entry in client.logs(LogQuery(job=job)):
            explain = f"cloudforest explain {job} {entry['object']}"
            terminal.suggest(terminal.command(explain, named), "why one is as it is")
            break
    terminal.suggest(terminal.command("cloudforest status", named), "agents and jobs")
    up = f"cloudforest up {'' if named is None else shlex.quote(str(tree))}".rstrip()
    why = "the same, and a cycle at each job's interval"
    terminal.suggest(terminal.command(up, state), why)
