"""`apply`: the change itself, or exactly what a saved plan showed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.errors import Refused
from cloudforest.front import planned, terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.documents import compiled_tree
from cloudforest.front.cli.options import (
    Format,
    Output,
    State,
    Tree,
    state_folder,
    state_to_say,
)
from cloudforest.front.cli.planning import plan_against
from cloudforest.front.commit import commit_of
from cloudforest.front.hosting.connection import connect_to_tree
from cloudforest.front.moved import refuse_stale
from cloudforest.model.registration import Registration
from cloudforest.plan.plan import Plan
from cloudforest.plan.planfile import SavedPlan, load_plan


def apply(
    tree: Tree = Path(),
    *,
    state: State = None,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", help="A plan saved by `plan --out`.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    output: Output = Format.TEXT,
) -> int:
    """Register what the documents say, or exactly what a saved plan showed."""
    return asyncio.run(_apply(tree, state, plan_file, yes=yes, output=output))


async def _apply(
    tree: Path,
    state: Path | None,
    plan_file: Path | None,
    *,
    yes: bool,
    output: Format,
) -> int:
    saved, words = load_plan(plan_file) if plan_file else None, output is Format.TEXT
    compiled, desired = compiled_tree(tree)
    commit = commit_of(tree)
    async with connect_to_tree(compiled, state_folder(state, tree)) as client:
        if saved is None:
            saved = await plan_against(client, desired, impact=True, progress=words)
            saved = replace(saved, commit=commit)
        else:
            await refuse_stale(client, saved, desired)
            saved = await _as_allowed(client, saved, desired, progress=words)
        if output is Format.TEXT:
            planned.show_plan(saved.plan, state_to_say(state, tree))
        if saved.plan.changes:
            _confirm(saved.plan, yes=yes or plan_file is not None)
        revision = await register(client, saved, desired, output)
    if output is Format.JSON:
        told = planned.on_state(saved.plan, state_to_say(state, tree)).data()
        terminal.print_json({**told, "revision": revision})
    return Exit.BLOCKED if saved.plan.blocked else Exit.DONE


async def _as_allowed(
    client: ControlPlaneClient,
    saved: SavedPlan,
    desired: Registration,
    *,
    progress: bool,
) -> SavedPlan:
    """Evaluate a blocked plan anew: it may be allowed by now."""
    if not saved.plan.blocked:
        return saved
    again = await plan_against(client, desired, impact=True, progress=progress)
    if any(each.failed for each in again.plan.impacts):
        return saved
    return replace(again, commit=saved.commit)


def _confirm(made: Plan, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("Nobody is there to ask; apply with --yes, or a saved --plan.")
    question = f"Apply these {len(made.changes)} changes?"
    if not typer.confirm(question, default=False, err=True):
        raise Refused("Nothing was applied.")


async def register(
    client: ControlPlaneClient,
    saved: SavedPlan,
    desired: Registration,
    output: Format,
) -> int:
    """Register the plan's outcome, ticking each step; nothing to do is a no-op."""
    if not saved.plan.changes:
        if output is Format.TEXT:
            terminal.done("Nothing to apply: all of it is registered.")
        return saved.plan.base
    plan = saved.plan
    revision = await client.register(
        desired, base=plan.base, plan=plan.digest, commit=saved.commit
    )
    if output is Format.TEXT:
        for change in saved.plan.changes:
            terminal.done(f"{change.kind} {change.name}: {_PAST[change.action]}")
        terminal.done(f"Registered as revision {revision}.")
    return revision


_PAST = {
    "create": "created",
    "update": "updated",
    "rename": "renamed",
    "delete": "removed",
}
