"""`plan`: what would change and who would be affected, as text, JSON or a page."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import BadParameter, Option

from cloudforest.base.errors import Interrupted
from cloudforest.cli import options, terminal
from cloudforest.cli.boundary import ExitCode, pick_exit_code
from cloudforest.cli.connection import connect_to_tree
from cloudforest.cli.validate import require_compiled_tree
from cloudforest.control_plane.state_folder import add_state_option

if TYPE_CHECKING:
    from cloudforest.adapters.control import ControlPlaneClient
    from cloudforest.model.registration import Registration
    from cloudforest.plan.plan import ImpactReport, JobImpact, Plan
    from cloudforest.plan.saved import SavedPlan


class PlanFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


class SampleKind(StrEnum):
    NAMES = "names"


def add_state_to_plan(plan: Plan, state: Path | None) -> Plan:
    """Return the plan with commands that work on this state."""
    from msgspec.structs import replace

    def add_state(impact: JobImpact) -> JobImpact:
        guards = tuple(
            replace(each, allow=each.allow and add_state_option(each.allow, state))
            for each in impact.guards
        )
        return replace(impact, guards=guards)

    return replace(plan, impacts=tuple(map(add_state, plan.impacts)))


@options.async_command
async def plan(  # noqa: PLR0913 - one parameter an option
    tree: options.Tree = Path(),
    *,
    state: options.State = None,
    out: Annotated[
        Path | None, Option(help="A file to save the plan in, for `apply`.")
    ] = None,
    output: Annotated[
        PlanFormat, Option("--format", help="The format of the plan.")
    ] = PlanFormat.TEXT,
    no_impact: Annotated[
        bool, Option("--no-impact", help="Do not preview the next cycles.")
    ] = False,
    samples: Annotated[
        SampleKind | None, Option(help="Name some of the affected objects.")
    ] = None,
    detailed_exitcode: Annotated[
        bool, Option("--detailed-exitcode", help="Exit 2 if changes are pending.")
    ] = False,
) -> int:
    from cloudforest.cli.commit import read_commit
    from cloudforest.plan.saved import require_plan_path, save_plan

    if samples is not None and no_impact:
        raise BadParameter(
            "--samples needs the preview that --no-impact skips. Pass only one of them."
        )
    if out is not None:
        with options.report_as_usage_error():
            require_plan_path(out)
    compiled, desired = require_compiled_tree(tree)
    commit = read_commit(tree)
    async with connect_to_tree(compiled, state) as client:
        saved = await evaluate_plan(
            client,
            desired,
            commit,
            impact=not no_impact,
            progress=output is not PlanFormat.JSON,
            with_names=samples is not None,
        )
    _print_plan(saved.plan, output, options.state_for_commands(state, tree))
    if out is not None:
        save_plan(out, saved)
        command = f"cloudforest apply {shlex.quote(str(tree))} --plan "
        again = terminal.format_command(command + shlex.quote(str(out)), state)
        terminal.print_to_stderr(f'Saved to "{out}". Apply it with: {again}')
    codes = {
        ExitCode.BLOCKED: saved.plan.blocked,
        ExitCode.UNREACHABLE: any(each.failed for each in saved.plan.impacts),
        ExitCode.CHANGES: detailed_exitcode and saved.plan.changes,
    }
    return pick_exit_code(*(code for code, applies in codes.items() if applies))


async def evaluate_plan(
    client: ControlPlaneClient,
    desired: Registration,
    commit: str | None,
    *,
    impact: bool = True,
    progress: bool,
    with_names: bool = False,
) -> SavedPlan:
    from msgspec.structs import replace

    from cloudforest.plan.plan import make_plan
    from cloudforest.plan.saved import make_saved_plan

    registered = await client.load_registration()
    report = None
    if impact:
        report = await _evaluate_impact(
            client, desired, progress=progress, with_names=with_names
        )
    made = make_plan(
        base=registered.revision,
        registered=registered.registration,
        desired=desired,
        report=report,
    )
    saved = make_saved_plan(made, desired, registered.registration)
    return replace(saved, commit=commit)


async def _evaluate_impact(
    client: ControlPlaneClient,
    desired: Registration,
    *,
    progress: bool,
    with_names: bool,
) -> ImpactReport:
    import msgspec

    from cloudforest.plan.plan import ImpactReport

    title = "previewing the next cycles"
    with terminal.show_progress(title, enabled=progress) as shown:
        async for message in client.impact(desired, with_names=with_names):
            if (report := message.get("foreseen")) is not None:
                return msgspec.convert(report, ImpactReport)
            shown.update(message["job"], message)
    raise Interrupted(
        "The control plane ended before the plan was complete. Plan again."
    )


def _print_plan(plan: Plan, output: PlanFormat, state: Path | None) -> None:
    from cloudforest.cli.plan_text import show_plan
    from cloudforest.plan.html import render_html
    from cloudforest.plan.markdown import render_markdown

    match output:
        case PlanFormat.TEXT:
            show_plan(plan, state)
        case PlanFormat.JSON:
            terminal.print_json(add_state_to_plan(plan, state).to_shape())
        case PlanFormat.MARKDOWN:
            typer.echo(render_markdown(add_state_to_plan(plan, state)), nl=False)
        case PlanFormat.HTML:
            typer.echo(render_html(add_state_to_plan(plan, state)), nl=False)
