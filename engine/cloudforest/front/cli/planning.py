"""`plan` and `apply`: what would change and whom it touches; then, the change."""

from __future__ import annotations

import asyncio
import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.errors import Refused, Stale
from cloudforest.front import planned, terminal
from cloudforest.front.boundary import Exit, worst
from cloudforest.front.cli.documents import compiled_tree
from cloudforest.front.cli.options import (
    Format,
    Output,
    State,
    Tree,
    state_folder,
    state_to_say,
)
from cloudforest.front.hosting.connection import connect_to_tree
from cloudforest.model.registration import Registration
from cloudforest.plan.html import render_html
from cloudforest.plan.markdown import render_markdown
from cloudforest.plan.plan import Foreseen, Plan, make_plan
from cloudforest.plan.planfile import SavedPlan, load_plan, save_plan


class PlanFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


def plan(
    tree: Tree = Path(),
    *,
    state: State = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Save the plan, to apply it later.")
    ] = None,
    output: Annotated[
        PlanFormat, typer.Option("--format", help="How the plan is shown.")
    ] = PlanFormat.TEXT,
    no_impact: Annotated[
        bool, typer.Option("--no-impact", help="Do not evaluate the next cycles.")
    ] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 if changes are pending.")
    ] = False,
) -> int:
    """Show what would change, and whom it would touch; writes nothing."""
    made, desired = asyncio.run(_plan(tree, state, impact=not no_impact))
    _show(made, output, state_to_say(state, tree))
    if out is not None:
        save_plan(out, made, desired)
        saved = f"cloudforest apply {shlex.quote(str(tree))} --plan "
        again = terminal.command(saved + shlex.quote(str(out)), state)
        terminal.complain(f"Saved to {out}; apply it with: {again}")
    changes = detailed_exitcode and made.changes
    return worst(
        Exit.BLOCKED if made.blocked else Exit.DONE,
        Exit.UNREACHABLE if any(each.failed for each in made.impacts) else Exit.DONE,
        Exit.CHANGES if changes else Exit.DONE,
    )


async def _plan(
    tree: Path, state: Path | None, *, impact: bool
) -> tuple[Plan, Registration]:
    compiled, desired = compiled_tree(tree)
    async with connect_to_tree(compiled, state_folder(state, tree)) as client:
        return await plan_against(client, desired, impact=impact), desired


async def plan_against(
    client: ControlPlaneClient, desired: Registration, *, impact: bool
) -> Plan:
    registered = await client.registration()
    foreseen = await client.impact(desired) if impact else {}
    return make_plan(
        base=registered.revision,
        registered=registered.registration,
        desired=desired,
        foreseen=msgspec.convert(foreseen, Foreseen),
    )


def _show(made: Plan, output: PlanFormat, state: Path | None) -> None:
    match output:
        case PlanFormat.TEXT:
            planned.show_plan(made, state)
        case PlanFormat.JSON:
            terminal.print_json(made.data())
        case PlanFormat.MARKDOWN:
            typer.echo(render_markdown(made), nl=False)
        case PlanFormat.HTML:
            typer.echo(render_html(made), nl=False)


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
    saved = load_plan(plan_file) if plan_file else None
    compiled, desired = compiled_tree(tree)
    async with connect_to_tree(compiled, state_folder(state, tree)) as client:
        if saved is None:
            made = await plan_against(client, desired, impact=True)
            saved = SavedPlan(plan=made, desired=desired)
        else:
            await _refuse_stale(client, saved)
        if output is Format.TEXT:
            planned.show_plan(saved.plan, state_to_say(state, tree))
        if saved.plan.changes:
            _confirm(saved.plan, yes=yes or plan_file is not None)
        revision = await register(client, saved, output)
    if output is Format.JSON:
        terminal.print_json({**saved.plan.data(), "revision": revision})
    return Exit.BLOCKED if saved.plan.blocked else Exit.DONE


async def _refuse_stale(client: ControlPlaneClient, saved: SavedPlan) -> None:
    registered = await client.registration()
    if registered.revision != saved.plan.base:
        raise Stale(
            f"The plan was made against revision {saved.plan.base}, and revision "
            f"{registered.revision} is registered now; plan again."
        )
    again = make_plan(
        base=registered.revision,
        registered=registered.registration,
        desired=saved.desired,
    )
    if again.digest != saved.plan.digest:
        raise Refused("The plan was changed after it was made; plan again.")


def _confirm(made: Plan, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("Nobody is there to ask; apply with --yes, or a saved --plan.")
    question = f"Apply these {len(made.changes)} changes?"
    if not typer.confirm(question, default=False, err=True):
        raise Refused("Nothing was applied.")


async def register(client: ControlPlaneClient, saved: SavedPlan, output: Format) -> int:
    """Register the plan's outcome, ticking each step; nothing to do is a no-op."""
    if not saved.plan.changes:
        if output is Format.TEXT:
            terminal.done("Nothing to apply: all of it is registered.")
        return saved.plan.base
    revision = await client.register(saved.desired, base=saved.plan.base)
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
