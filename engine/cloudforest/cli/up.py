"""`up`: apply a tree, and run its control plane and its local agents."""

from __future__ import annotations

import shlex
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import format_count
from cloudforest.cli import options, terminal
from cloudforest.cli.connection import host_for_tree
from cloudforest.cli.cycles import (
    cycles_exit_code,
    is_idle,
    list_startable_jobs,
    print_cycles,
    run_jobs,
)
from cloudforest.cli.options import TEXT
from cloudforest.cli.validate import require_compiled_tree

if TYPE_CHECKING:
    from cloudforest.adapters.control import ControlPlaneClient
    from cloudforest.cli.local_agents import LocalAgents
    from cloudforest.control_plane.host import HostedControlPlane


@options.async_command
async def up(
    tree: options.Tree = Path(),
    *,
    state: options.State = None,
    once: Annotated[
        bool, Option("--once", help="Run one cycle of each job, then exit.")
    ] = False,
    output: options.Format = TEXT,
) -> int:
    from cloudforest.cli.apply import register_plan
    from cloudforest.cli.commit import read_commit
    from cloudforest.cli.local_agents import LocalAgents
    from cloudforest.cli.plan import evaluate_plan
    from cloudforest.cli.plan_text import show_plan
    from cloudforest.cli.serve import serve_until_signal

    text = output is TEXT
    compiled, desired = require_compiled_tree(tree)
    commit = read_commit(tree)
    if text:
        documents = format_count(compiled.document_count, "document")
        terminal.print_done(f"{documents} are valid.")
    if compiled.service is not None and compiled.service.url is not None:
        raise Misconfigured(
            f'The control plane of this tree runs at "{compiled.service.url}". Use '
            "`cloudforest apply` and `cloudforest agent run NAME`."
        )
    folder = options.state_folder(state, tree)
    async with AsyncExitStack() as stack:
        hosted = await stack.enter_async_context(host_for_tree(compiled, folder))
        client = await stack.enter_async_context(hosted.client())
        saved = await evaluate_plan(client, desired, commit, progress=text)
        if text:
            terminal.print_heading("Plan")
            show_plan(saved.plan, options.state_for_commands(state, tree))
            terminal.print_heading("Registration")
        await register_plan(client, saved, desired, output)
        agents = LocalAgents(folder, hosted.url, compiled.folder)
        await stack.enter_async_context(agents.supervise())
        await _start_agents(agents, client, hosted, text=text)
        if once:
            return await _run_one_cycle_each(client, tree, state, output)
        return await serve_until_signal(hosted, text=text)


async def _start_agents(
    agents: LocalAgents,
    client: ControlPlaneClient,
    hosted: HostedControlPlane,
    *,
    text: bool,
) -> None:
    since = hosted.plane.clock()
    registered = (await client.load_registration()).registration
    assert registered is not None  # noqa: S101 - registered just now
    async for sentence in agents.start(registered, client):
        if text:
            terminal.print_done(sentence)
    names = [each.name for each in registered.agents if each.run == "local"]
    await hosted.plane.wait_for_agents(names, since)
    if text:
        for name in names:
            terminal.print_done(f"Agent {name}: enrolled and bootstrapped")


async def _run_one_cycle_each(
    client: ControlPlaneClient,
    tree: Path,
    state: Path | None,
    output: options.OutputFormat,
) -> int:
    text = output is TEXT
    shown_state = options.state_for_commands(state, tree)
    if text:
        terminal.print_heading("Cycle")
    jobs = await list_startable_jobs(client)
    cycles = await run_jobs(client, jobs, shown_state, progress=text)
    if text:
        print_cycles(cycles, shown_state)
        if cycles and all(map(is_idle, cycles)):
            terminal.print_done("Nothing to do: the target is up to date.")
        await _suggest_next_commands(client, tree, state, jobs)
    else:
        terminal.print_json({"jobs": cycles})
    return cycles_exit_code(cycles)


async def _suggest_next_commands(
    client: ControlPlaneClient, tree: Path, state: Path | None, jobs: list[str]
) -> None:
    """Suggest commands that work here, with an object that exists."""
    from cloudforest.model.cycles import LogQuery

    shown_state = options.state_for_commands(state, tree)
    terminal.print_heading("Next")
    for job in jobs[:1]:
        async for entry in client.logs(LogQuery(job=job)):
            explain = f"cloudforest explain {job} {entry['object']}"
            terminal.suggest(explain, "explain one object", shown_state)
            break
    terminal.suggest("cloudforest status", "agents and jobs", shown_state)
    folder = "" if shown_state is None else shlex.quote(str(tree))
    up = f"cloudforest up {folder}".rstrip()
    terminal.suggest(up, "keep running, with a cycle at each job's interval", state)
