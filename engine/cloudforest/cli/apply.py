"""`apply`: register the documents, or exactly what a saved plan showed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from cloudforest.base.errors import Refused, Stale
from cloudforest.base.values import canonical_digest, format_count
from cloudforest.cli import options, terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_tree
from cloudforest.cli.options import TEXT
from cloudforest.cli.validate import require_compiled_tree

if TYPE_CHECKING:
    from cloudforest.adapters.control import ControlPlaneClient, CurrentRegistration
    from cloudforest.model.registration import Registration
    from cloudforest.plan.difference import Change
    from cloudforest.plan.plan import Plan
    from cloudforest.plan.saved import SavedPlan

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
    from cloudforest.plan.plan import make_plan

    now = await client.load_registration()
    moved = now.revision != saved.plan.base
    if moved or canonical_digest(now.registration) != saved.against:
        raise Stale(await _describe_new_revision(client, saved, now))
    again = make_plan(base=now.revision, registered=now.registration, desired=desired)
    if canonical_digest(desired) != saved.tree:
        changes = _diff_changes(saved.plan.changes, again.changes)
        raise Stale(
            "The documents changed after the plan was made. Changes since: "
            f"{_join_changes(changes) or 'a value that no plan shows'}. Plan again."
        )
    if again.digest != saved.plan.digest:
        raise Refused("The saved plan was edited. Plan again.")


async def _describe_new_revision(
    client: ControlPlaneClient, saved: SavedPlan, registered: CurrentRegistration
) -> str:
    """Say who registered what since the plan was made."""
    from cloudforest.plan.difference import compare_registrations

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


def _diff_changes(saved: Sequence[Change], now: Sequence[Change]) -> list[str]:
    """Return the changes of the documents that the saved plan does not show."""
    names = {(each.kind, each.name) for each in now}
    gone = [each for each in saved if (each.kind, each.name) not in names]
    new = [str(each) for each in now if each not in saved]
    return new + [f"no longer {each}" for each in gone]


def _join_changes(changes: Sequence[str]) -> str:
    rest = len(changes) - _LISTED_CHANGES
    more = f" and {rest} more" if rest > 0 else ""
    return ", ".join(changes[:_LISTED_CHANGES]) + more


@options.async_command
async def apply(
    tree: options.Tree = Path(),
    *,
    state: options.State = None,
    plan_file: Annotated[
        Path | None, Option("--plan", help="A plan that `plan --out` saved.")
    ] = None,
    yes: Annotated[bool, Option("--yes", help="Apply without asking.")] = False,
    output: options.Format = TEXT,
) -> int:
    from cloudforest.cli.commit import read_commit
    from cloudforest.cli.plan import add_state_to_plan, evaluate_plan
    from cloudforest.cli.plan_text import show_plan
    from cloudforest.plan.saved import load_plan

    text = output is TEXT
    shown_state = options.state_for_commands(state, tree)
    saved = load_plan(plan_file) if plan_file else None
    compiled, desired = require_compiled_tree(tree)
    commit = read_commit(tree)
    async with connect_to_tree(compiled, state) as client:
        if saved is None:
            saved = await evaluate_plan(client, desired, commit, progress=text)
        else:
            await require_current_plan(client, saved, desired)
            if saved.plan.blocked:
                # Its stages may be allowed by now.
                new = await evaluate_plan(client, desired, saved.commit, progress=text)
                if not any(each.failed for each in new.plan.impacts):
                    saved = new
        if text:
            show_plan(saved.plan, shown_state)
        if saved.plan.changes and not yes and plan_file is None:
            _confirm(saved.plan)
        revision = await register_plan(client, saved, desired, output)
    if not text:
        shown = add_state_to_plan(saved.plan, shown_state)
        terminal.print_json({**shown.to_shape(), "revision": revision})
    return ExitCode.BLOCKED if saved.plan.blocked else ExitCode.DONE


def _confirm(plan: Plan) -> None:
    if not sys.stdin.isatty():
        raise Refused("No terminal to confirm on. Pass --yes, or --plan FILE.")
    question = f"Apply {format_count(len(plan.changes), 'change')}?"
    if not typer.confirm(question, default=False, err=True):
        raise Refused("Nothing was applied.")


async def register_plan(
    client: ControlPlaneClient,
    saved: SavedPlan,
    desired: Registration,
    output: options.OutputFormat,
) -> int:
    """Register what the plan shows, and print each change; return the revision."""
    plan = saved.plan
    if not plan.changes:
        if output is TEXT:
            terminal.print_done("Nothing to apply: the documents are registered.")
        return plan.base
    revision = await client.register(
        desired, base=plan.base, plan=plan.digest, commit=saved.commit
    )
    if output is TEXT:
        for each in plan.changes:
            terminal.print_done(f"{each.kind} {each.name}: {_PAST_TENSE[each.action]}")
        terminal.print_done(f"Registered as revision {revision}.")
    return revision
