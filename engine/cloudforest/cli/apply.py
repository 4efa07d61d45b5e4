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

from cloudforest.adapters.control.client import ControlPlaneClient, CurrentRegistration
from cloudforest.base.errors import Refused, Stale
from cloudforest.base.values import canonical_digest
from cloudforest.cli import plan, terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_tree
from cloudforest.cli.options import (
    FormatOption,
    OutputFormat,
    StateOption,
    TreeArgument,
    state_folder,
    state_for_commands,
)
from cloudforest.cli.plan import evaluate_plan, read_commit
from cloudforest.cli.validate import require_compiled_tree
from cloudforest.model.registration import Registration
from cloudforest.plan.difference import Change, compare_registrations
from cloudforest.plan.plan import Plan, make_plan
from cloudforest.plan.saved import SavedPlan, load_plan

_LISTED_CHANGES = 8
"""Changes that are named; the rest are counted."""


async def require_current_plan(
    client: ControlPlaneClient, saved: SavedPlan, desired: Registration
) -> None:
    """Raise unless the plan is what the documents and the registered make today."""
    registered = await client.load_registration()
    moved = registered.revision != saved.plan.base
    if moved or canonical_digest(registered.registration) != saved.against:
        raise Stale(await _describe_new_revision(client, saved, registered))
    again = make_plan(
        base=registered.revision,
        registered=registered.registration,
        desired=desired,
    )
    if canonical_digest(desired) != saved.tree:
        raise Stale(_describe_edited_documents(saved.plan, again))
    if again.digest != saved.plan.digest:
        raise Refused("The plan was changed after it was made; plan again.")


async def _describe_new_revision(
    client: ControlPlaneClient, saved: SavedPlan, registered: CurrentRegistration
) -> str:
    """Say who registered what since the plan was made."""
    before = await client.load_revision(saved.plan.base)
    now = await client.load_revision(registered.revision)
    said = f"The plan was made against revision {saved.plan.base}, and "
    old = before.registration if before else None
    if now is None or canonical_digest(old) != saved.against:
        return f"{said}this control plane never had it; plan again."
    changes = [str(each) for each in compare_registrations(old, now.registration)]
    return (
        f"{said}revision {now.number} is registered now, by {now.operator} at "
        f"{now.time}. What moved: "
        f"{_join_changes(changes) or 'nothing that lasted'}. Plan "
        "again."
    )


def _describe_edited_documents(saved_plan: Plan, now: Plan) -> str:
    """Say which changes of the documents the plan does not show."""
    changes = _diff_changes(saved_plan.changes, now.changes)
    return (
        "The documents are no longer those that the plan was made of. What moved: "
        f"{_join_changes(changes) or 'a value that no plan shows'}. Plan again."
    )


def _diff_changes(saved: Sequence[Change], now: Sequence[Change]) -> list[str]:
    names = {(each.kind, each.name) for each in now}
    gone = [each for each in saved if (each.kind, each.name) not in names]
    new = [str(each) for each in now if each not in saved]
    return new + [f"no longer {each}" for each in gone]


def _join_changes(changes: Sequence[str]) -> str:
    more = (
        f" and {len(changes) - _LISTED_CHANGES} more"
        if len(changes) > _LISTED_CHANGES
        else ""
    )
    return ", ".join(changes[:_LISTED_CHANGES]) + more


def apply(
    tree: TreeArgument = Path(),
    *,
    state: StateOption = None,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", help="A plan saved by `plan --out`.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Register what the documents say, or exactly what a saved plan showed."""
    return asyncio.run(_apply(tree, state, plan_file, yes=yes, output=output))


async def _apply(
    tree: Path,
    state: Path | None,
    plan_file: Path | None,
    *,
    yes: bool,
    output: OutputFormat,
) -> int:
    saved, words = (
        load_plan(plan_file) if plan_file else None,
        output is OutputFormat.TEXT,
    )
    compiled, desired = require_compiled_tree(tree)
    commit = read_commit(tree)
    async with connect_to_tree(compiled, state_folder(state, tree)) as client:
        if saved is None:
            saved = await evaluate_plan(client, desired, impact=True, progress=words)
            saved = replace(saved, commit=commit)
        else:
            await require_current_plan(client, saved, desired)
            saved = await _reevaluate_blocked_plan(
                client, saved, desired, progress=words
            )
        if output is OutputFormat.TEXT:
            plan.show_plan(saved.plan, state_for_commands(state, tree))
        if saved.plan.changes:
            _require_confirmation(saved.plan, yes=yes or plan_file is not None)
        revision = await register_plan(client, saved, desired, output)
    if output is OutputFormat.JSON:
        told = plan.add_state_to_plan(
            saved.plan, state_for_commands(state, tree)
        ).to_shape()
        terminal.print_json({**told, "revision": revision})
    return ExitCode.BLOCKED if saved.plan.blocked else ExitCode.DONE


async def _reevaluate_blocked_plan(
    client: ControlPlaneClient,
    saved: SavedPlan,
    desired: Registration,
    *,
    progress: bool,
) -> SavedPlan:
    """Evaluate a blocked plan anew: it may be allowed by now."""
    if not saved.plan.blocked:
        return saved
    again = await evaluate_plan(client, desired, impact=True, progress=progress)
    if any(each.failed for each in again.plan.impacts):
        return saved
    return replace(again, commit=saved.commit)


def _require_confirmation(plan: Plan, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("Nobody is there to ask; apply with --yes, or a saved --plan.")
    question = f"Apply these {len(plan.changes)} changes?"
    if not typer.confirm(question, default=False, err=True):
        raise Refused("Nothing was applied.")


async def register_plan(
    client: ControlPlaneClient,
    saved: SavedPlan,
    desired: Registration,
    output: OutputFormat,
) -> int:
    """Register the plan's outcome, ticking each step; nothing to do is a no-op."""
    if not saved.plan.changes:
        if output is OutputFormat.TEXT:
            terminal.print_done("Nothing to apply: all of it is registered.")
        return saved.plan.base
    plan = saved.plan
    revision = await client.register(
        desired, base=plan.base, plan=plan.digest, commit=saved.commit
    )
    if output is OutputFormat.TEXT:
        for change in saved.plan.changes:
            terminal.print_done(
                f"{change.kind} {change.name}: {_PAST_TENSE[change.action]}"
            )
        terminal.print_done(f"Registered as revision {revision}.")
    return revision


_PAST_TENSE = {
    "create": "created",
    "update": "updated",
    "rename": "renamed",
    "delete": "removed",
}
