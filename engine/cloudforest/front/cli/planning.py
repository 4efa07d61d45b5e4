"""`plan` and `apply`: what would change and whom it touches; then, the change."""

from __future__ import annotations

import asyncio
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.errors import Interrupted
from cloudforest.front import planned, terminal
from cloudforest.front.boundary import Exit, worst
from cloudforest.front.cli.documents import compiled_tree
from cloudforest.front.cli.options import (
    State,
    Tree,
    state_folder,
    state_to_say,
    usage,
)
from cloudforest.front.commit import commit_of
from cloudforest.front.hosting.connection import connect_to_tree
from cloudforest.front.progress import bars
from cloudforest.model.registration import Registration
from cloudforest.plan.plan import Foreseen, Plan, make_plan
from cloudforest.plan.planfile import SavedPlan, require_free, save_plan, saved_plan
from cloudforest.plan.rendering.html import render_html
from cloudforest.plan.rendering.markdown import render_markdown

_NOBODY_TO_NAME = (
    "--samples names some of those whom the next cycles touch, and --no-impact leaves "
    "these out; give one of the two."
)


class PlanFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


class Samples(StrEnum):
    NAMES = "names"


def plan(  # noqa: PLR0913 - one parameter an option
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
    samples: Annotated[
        Samples | None,
        typer.Option("--samples", help="Name some of those whom the change touches."),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 if changes are pending.")
    ] = False,
) -> int:
    """Show what would change, and whom it would touch; writes nothing."""
    if samples is not None and no_impact:
        raise typer.BadParameter(_NOBODY_TO_NAME)
    if out is not None:
        with usage():
            require_free(out)
    saved = asyncio.run(
        _plan(
            tree,
            state,
            impact=not no_impact,
            progress=output is not PlanFormat.JSON,
            named=samples is not None,
        )
    )
    made = saved.plan
    _show(made, output, state_to_say(state, tree))
    if out is not None:
        save_plan(out, saved)
        words = f"cloudforest apply {shlex.quote(str(tree))} --plan "
        again = terminal.command(words + shlex.quote(str(out)), state)
        terminal.complain(f"Saved to {out}; apply it with: {again}")
    changes = detailed_exitcode and made.changes
    return worst(
        Exit.BLOCKED if made.blocked else Exit.DONE,
        Exit.UNREACHABLE if any(each.failed for each in made.impacts) else Exit.DONE,
        Exit.CHANGES if changes else Exit.DONE,
    )


async def _plan(
    tree: Path, state: Path | None, *, impact: bool, progress: bool, named: bool
) -> SavedPlan:
    compiled, desired = compiled_tree(tree)
    commit = commit_of(tree)
    async with connect_to_tree(compiled, state_folder(state, tree)) as client:
        saved = await plan_against(
            client, desired, impact=impact, progress=progress, named=named
        )
    return replace(saved, commit=commit)


async def plan_against(
    client: ControlPlaneClient,
    desired: Registration,
    *,
    impact: bool,
    progress: bool,
    named: bool = False,
) -> SavedPlan:
    registered = await client.registration()
    foreseen = None
    if impact:
        foreseen = await _foreseen(client, desired, progress=progress, named=named)
    made = make_plan(
        base=registered.revision,
        registered=registered.registration,
        desired=desired,
        foreseen=foreseen,
    )
    return saved_plan(made, desired, registered.registration)


async def _foreseen(
    client: ControlPlaneClient, desired: Registration, *, progress: bool, named: bool
) -> Foreseen:
    with bars("evaluating the next cycles", shown=progress) as shown:
        async for message in client.impact(desired, named=named):
            if (foreseen := message.get("foreseen")) is not None:
                return msgspec.convert(foreseen, Foreseen)
            shown.show(message["job"], message)
    raise Interrupted("The control plane ended before the plan did; plan again.")


def _show(made: Plan, output: PlanFormat, state: Path | None) -> None:
    if output is PlanFormat.TEXT:
        planned.show_plan(made, state)
        return
    made = planned.on_state(made, state)
    match output:
        case PlanFormat.JSON:
            terminal.print_json(made.data())
        case PlanFormat.MARKDOWN:
            typer.echo(render_markdown(made), nl=False)
        case PlanFormat.HTML:
            typer.echo(render_html(made), nl=False)
