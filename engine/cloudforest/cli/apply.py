"""`apply`: register the documents, or exactly what a saved plan showed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from cloudforest.adapters.control import ControlPlaneClient, CurrentRegistration
from cloudforest.base.errors import Refused, Stale
from cloudforest.base.values import canonical_digest, format_count
from cloudforest.cli import plan, terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_tree
from cloudforest.cli.options import (
    FormatOption,
    OutputFormat,
    StateOption,
    TreeArgument,
    async_command,
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
"""Changes that a message names; it counts the rest."""
_PAST_TENSE = {
    "create": "created",
    "update": "updated",
    "rename": "renamed",
    "delete": "removed",
}


async def require_current_plan(
    client: ControlPlaneClient, saved: SavedPlan, desired: Registration
) -> None:
    """Raise Stale if the documents or the registration changed since the plan."""
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
        raise Refused("The saved plan was edited. Plan again.")


async def _describe_new_revision(
    client: ControlPlaneClient, saved: SavedPlan, registered: CurrentRegistration
) -> str:
    """Say who registered what since the plan was made."""
    base = saved.plan.base
    before = await client.load_revision(base)
    now = await client.load_revision(registered.revision)
    old = before.registration if before else None
    if now is None or canonical_digest(old) != saved.against:
        return (
            f"The plan was made against revision {base}, which this control plane "
            "never had. Plan again."
        )
    changes = [str(each) for each in compare_registrations(old, now.registration)]
    return (
        f"The plan was made against revision {base}. {now.operator} registered "
        f"revision {now.number} at {now.time}. Changes since: "
        f"{_join_changes(changes) or 'none that remain'}. Plan again."
    )


def _describe_edited_documents(saved_plan: Plan, now: Plan) -> str:
    """Say which changes of the documents the plan does not show."""
    changes = _diff_changes(saved_plan.changes, now.changes)
    return (
        "The documents changed after the plan was made. Changes since: "
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


@async_command
async def apply(
    tree: TreeArgument = Path(),
    *,
    state: StateOption = None,
    plan_file: Annotated[
        Path | None, typer.Option("--plan", help="A plan that `plan --out` saved.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply without asking.")] = False,
    output: FormatOption = OutputFormat.TEXT,
) -> int:
    """Register the documents, or exactly what a saved plan showed."""
    text = output is OutputFormat.TEXT
    saved = load_plan(plan_file) if plan_file else None
    compiled, desired = require_compiled_tree(tree)
    commit = read_commit(tree)
    async with connect_to_tree(compiled, state_folder(state, tree)) as client:
        if saved is None:
            saved = await evaluate_plan(client, desired, impact=True, progress=text)
            saved = replace(saved, commit=commit)
        else:
            await require_current_plan(client, saved, desired)
            saved = await _reevaluate_blocked_plan(
                client, saved, desired, progress=text
            )
        if text:
            plan.show_plan(saved.plan, state_for_commands(state, tree))
        if saved.plan.changes:
            _require_confirmation(saved.plan, yes=yes or plan_file is not None)
        revision = await register_plan(client, saved, desired, output)
    if not text:
        shown = plan.add_state_to_plan(saved.plan, state_for_commands(state, tree))
        terminal.print_json({**shown.to_shape(), "revision": revision})
    return ExitCode.BLOCKED if saved.plan.blocked else ExitCode.DONE


async def _reevaluate_blocked_plan(
    client: ControlPlaneClient,
    saved: SavedPlan,
    desired: Registration,
    *,
    progress: bool,
) -> SavedPlan:
    """Evaluate a blocked plan again: its stages may be allowed by now."""
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
        raise Refused("No terminal to confirm on. Pass --yes, or --plan FILE.")
    changes = format_count(len(plan.changes), "change")
    question = f"Apply {changes}?"
    if not typer.confirm(question, default=False, err=True):
        raise Refused("Nothing was applied.")


async def register_plan(
    client: ControlPlaneClient,
    saved: SavedPlan,
    desired: Registration,
    output: OutputFormat,
) -> int:
    """Register what the plan shows, and print each change; return the revision."""
    if not saved.plan.changes:
        if output is OutputFormat.TEXT:
            terminal.print_done("Nothing to apply: the documents are registered.")
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
