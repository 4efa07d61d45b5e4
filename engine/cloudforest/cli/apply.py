"""`apply`: the change itself, or exactly what a saved plan showed.

What moved since a saved plan was made: the registered, or the documents.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from cloudforest.adapters.control.client import ControlPlaneClient, Registered
from cloudforest.base.errors import Refused, Stale
from cloudforest.base.values import digest
from cloudforest.cli import plan, terminal
from cloudforest.cli.boundary import Exit
from cloudforest.cli.connection import connect_to_tree
from cloudforest.cli.options import (
    Format,
    Output,
    State,
    Tree,
    state_folder,
    state_to_say,
)
from cloudforest.cli.plan import commit_of, plan_against
from cloudforest.cli.validate import compiled_tree
from cloudforest.model.registration import Registration
from cloudforest.plan.difference import Change, difference
from cloudforest.plan.plan import Plan, make_plan
from cloudforest.plan.saved import SavedPlan, load_plan

_MOVED = 8
"""Changes that are named; the rest are counted."""


async def refuse_stale(
    client: ControlPlaneClient, saved: SavedPlan, desired: Registration
) -> None:
    """Raise unless the plan is what the documents and the registered make today."""
    registered = await client.registration()
    moved = registered.revision != saved.plan.base
    if moved or digest(registered.registration) != saved.against:
        raise Stale(await _registered_since(client, saved, registered))
    again = make_plan(
        base=registered.revision,
        registered=registered.registration,
        desired=desired,
    )
    if digest(desired) != saved.tree:
        raise Stale(_written_since(saved.plan, again))
    if again.digest != saved.plan.digest:
        raise Refused("The plan was changed after it was made; plan again.")


async def _registered_since(
    client: ControlPlaneClient, saved: SavedPlan, registered: Registered
) -> str:
    """Say who registered what since the plan was made."""
    before = await client.revision(saved.plan.base)
    now = await client.revision(registered.revision)
    said = f"The plan was made against revision {saved.plan.base}, and "
    old = before.registration if before else None
    if now is None or digest(old) != saved.against:
        return f"{said}this control plane never had it; plan again."
    changes = [str(each) for each in difference(old, now.registration)]
    return (
        f"{said}revision {now.number} is registered now, by {now.operator} at "
        f"{now.time}. What moved: {_named(changes) or 'nothing that lasted'}. Plan "
        "again."
    )


def _written_since(shown: Plan, now: Plan) -> str:
    """Say which changes of the documents the plan does not show."""
    changes = _differing(shown.changes, now.changes)
    return (
        "The documents are no longer those that the plan was made of. What moved: "
        f"{_named(changes) or 'a value that no plan shows'}. Plan again."
    )


def _differing(shown: Sequence[Change], now: Sequence[Change]) -> list[str]:
    names = {(each.kind, each.name) for each in now}
    gone = [each for each in shown if (each.kind, each.name) not in names]
    new = [str(each) for each in now if each not in shown]
    return new + [f"no longer {each}" for each in gone]


def _named(changes: Sequence[str]) -> str:
    more = f" and {len(changes) - _MOVED} more" if len(changes) > _MOVED else ""
    return ", ".join(changes[:_MOVED]) + more


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
            plan.show_plan(saved.plan, state_to_say(state, tree))
        if saved.plan.changes:
            _confirm(saved.plan, yes=yes or plan_file is not None)
        revision = await register(client, saved, desired, output)
    if output is Format.JSON:
        told = plan.on_state(saved.plan, state_to_say(state, tree)).data()
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
