"""`plan`: what would change and who would be affected, as text, JSON or a page."""

from __future__ import annotations

import shlex
import subprocess
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace
from rich.text import Text

from cloudforest.adapters.control import ControlPlaneClient
from cloudforest.base.errors import Interrupted
from cloudforest.cli import terminal
from cloudforest.cli.boundary import ExitCode, pick_exit_code
from cloudforest.cli.connection import connect_to_tree
from cloudforest.cli.options import (
    StateOption,
    TreeArgument,
    async_command,
    report_as_usage_error,
    state_folder,
    state_for_commands,
)
from cloudforest.cli.terminal import (
    format_command,
    out_console,
    print_heading,
    print_suggestion,
    show_progress,
)
from cloudforest.cli.validate import require_compiled_tree
from cloudforest.control_plane.state_folder import add_state_option
from cloudforest.model.registration import Registration
from cloudforest.plan.difference import KIND_ORDER, Change, FieldChange
from cloudforest.plan.html import render_html
from cloudforest.plan.markdown import render_markdown
from cloudforest.plan.plan import ImpactReport, JobImpact, Plan, make_plan
from cloudforest.plan.saved import (
    SavedPlan,
    make_saved_plan,
    require_plan_path,
    save_plan,
)
from cloudforest.plan.wording import (
    NOT_EVALUATED_NOTE,
    DiffPart,
    compare_list_items,
    describe_counts,
    describe_field_value,
    describe_guard,
    diff_words,
    guard_label,
    make_impact_tables,
    select_shown_fields,
    summarize_plan,
)

_ACTION_STYLES = {
    "create": "green",
    "update": "yellow",
    "rename": "cyan",
    "delete": "red",
}
_DIFF_MARKS = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
"""As in `git diff --word-diff`; readable without colours."""
_DIFF_STYLES = {"same": "", "gone": "red", "new": "green"}
_ABSENT = "(nothing)"
_GIT_TIMEOUT_SECONDS = 10
_WIDE_TABLE_COLUMNS = 3
"""Tables with at least so many columns get a header."""


class PlanFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


class SampleKind(StrEnum):
    NAMES = "names"


def show_plan(plan: Plan, state: Path | None = None) -> None:
    by_kind = sorted(plan.changes, key=lambda each: KIND_ORDER.index(each.kind))
    for kind, changes in groupby(by_kind, key=lambda each: each.kind):
        print_heading(kind)
        for change in changes:
            _show_change(change)
    if plan.changes:
        out_console.print()
    _show_outcome(plan, state)


def _show_outcome(plan: Plan, state: Path | None) -> None:
    out_console.print(
        f"Plan: {summarize_plan(plan)} (against revision {plan.base}).", style="bold"
    )
    if not plan.evaluated:
        out_console.print(f"  {NOT_EVALUATED_NOTE}", markup=False)
    for impact in plan.impacts:
        counts = f"  {impact.job}: {describe_counts(impact)}"
        out_console.print(counts, markup=False, soft_wrap=True)
        _show_impact_tables(impact)
    for consequence in plan.consequences:
        out_console.print(f"  {consequence.sentence}", markup=False, soft_wrap=True)
    for warning in plan.warnings:
        out_console.print(
            f"  Warning: {warning}", style="yellow", markup=False, soft_wrap=True
        )
    for impact in plan.impacts:
        _show_guards(impact, state)


def _show_guards(impact: JobImpact, state: Path | None) -> None:
    for guard in impact.guards:
        sentence = f"  {guard_label(impact)}: {describe_guard(guard)}"
        out_console.print(sentence, style="bold red", markup=False, soft_wrap=True)
        if guard.allow:
            print_suggestion(format_command(guard.allow, state), "allow them")


def _show_impact_tables(impact: JobImpact) -> None:
    """Show each table under its title, with aligned columns and unbroken lines."""
    for table in make_impact_tables(impact):
        out_console.print(f"    {table.title}:", markup=False)
        rows = (
            table.rows
            if len(table.columns) < _WIDE_TABLE_COLUMNS
            else (table.columns, *table.rows)
        )
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        for row in rows:
            cells = map(str.ljust, row, widths)
            out_console.print(
                Text("      " + "  ".join(cells).rstrip()), soft_wrap=True
            )


def _show_change(change: Change) -> None:
    out_console.print(Text(f"{change}", style=_ACTION_STYLES[change.action]))
    if change.action in {"update", "rename"}:
        for field in select_shown_fields(change):
            _show_field(field)


def _show_field(field: FieldChange) -> None:
    lists, runs = compare_list_items(field), diff_words(field)
    if lists is not None:
        gone, new = lists
        lines = [Text(f"- {each}", "red") for each in gone]
        lines += [Text(f"+ {each}", "green") for each in new]
        out_console.print(f"    {field.path}:", markup=False)
        for line in lines:
            out_console.print(Text("      ") + line, soft_wrap=True)
    elif runs is not None:
        text = Text.assemble(*map(_style_diff_part, runs))
        out_console.print(Text(f"    {field.path}: ") + text, soft_wrap=True)
    else:
        before, after = (
            _ABSENT if value is None else describe_field_value(field.path, value)
            for value in (field.before, field.after)
        )
        out_console.print(
            f"    {field.path}: {before} → {after}", markup=False, soft_wrap=True
        )


def _style_diff_part(part: DiffPart) -> tuple[str, str]:
    return _DIFF_MARKS[part.kind].format(part.text), _DIFF_STYLES[part.kind]


def add_state_to_plan(plan: Plan, state: Path | None) -> Plan:
    """Return the plan with commands that work on this state."""
    return replace(
        plan, impacts=tuple(_add_state_to_impact(each, state) for each in plan.impacts)
    )


def _add_state_to_impact(impact: JobImpact, state: Path | None) -> JobImpact:
    guards = tuple(
        replace(each, allow=add_state_option(each.allow, state)) if each.allow else each
        for each in impact.guards
    )
    return replace(impact, guards=guards)


def read_commit(tree: Path) -> str | None:
    """Return the commit, `with changes` if the tree differs; None without git.

    The repository's own configuration may name a program in `core.fsmonitor`, which
    must not run.
    """
    commit = _run_git(tree, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    changed = _run_git(tree, "status", "--porcelain", "--", ".")
    return f"{commit} with changes" if changed else commit


def _run_git(tree: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            ["git", "-c", "core.fsmonitor=false", *words],  # noqa: S607 - the user's own
            cwd=tree,
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


@async_command
async def plan(  # noqa: PLR0913 - one parameter an option
    tree: TreeArgument = Path(),
    *,
    state: StateOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A file to save the plan in, for `apply`."),
    ] = None,
    output: Annotated[
        PlanFormat, typer.Option("--format", help="The format of the plan.")
    ] = PlanFormat.TEXT,
    no_impact: Annotated[
        bool, typer.Option("--no-impact", help="Do not preview the next cycles.")
    ] = False,
    samples: Annotated[
        SampleKind | None,
        typer.Option("--samples", help="Name some of the affected objects."),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 2 if changes are pending.")
    ] = False,
) -> int:
    """Show what would change and who would be affected. Writes nothing."""
    if samples is not None and no_impact:
        raise typer.BadParameter(
            "--samples needs the preview that --no-impact skips. Pass only one of them."
        )
    if out is not None:
        with report_as_usage_error():
            require_plan_path(out)
    compiled, desired = require_compiled_tree(tree)
    commit = read_commit(tree)
    async with connect_to_tree(compiled, state_folder(state, tree)) as client:
        evaluated = await evaluate_plan(
            client,
            desired,
            impact=not no_impact,
            progress=output is not PlanFormat.JSON,
            with_names=samples is not None,
        )
    saved = replace(evaluated, commit=commit)
    _print_plan(saved.plan, output, state_for_commands(state, tree))
    if out is not None:
        save_plan(out, saved)
        command = f"cloudforest apply {shlex.quote(str(tree))} --plan "
        again = terminal.format_command(command + shlex.quote(str(out)), state)
        terminal.print_to_stderr(f'Saved to "{out}". Apply it with: {again}')
    changes = detailed_exitcode and saved.plan.changes
    return pick_exit_code(
        ExitCode.BLOCKED if saved.plan.blocked else ExitCode.DONE,
        ExitCode.UNREACHABLE
        if any(each.failed for each in saved.plan.impacts)
        else ExitCode.DONE,
        ExitCode.CHANGES if changes else ExitCode.DONE,
    )


async def evaluate_plan(
    client: ControlPlaneClient,
    desired: Registration,
    *,
    impact: bool,
    progress: bool,
    with_names: bool = False,
) -> SavedPlan:
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
    return make_saved_plan(made, desired, registered.registration)


async def _evaluate_impact(
    client: ControlPlaneClient,
    desired: Registration,
    *,
    progress: bool,
    with_names: bool,
) -> ImpactReport:
    with show_progress("previewing the next cycles", enabled=progress) as shown:
        async for message in client.impact(desired, with_names=with_names):
            if (report := message.get("foreseen")) is not None:
                return msgspec.convert(report, ImpactReport)
            shown.update(message["job"], message)
    raise Interrupted(
        "The control plane ended before the plan was complete. Plan again."
    )


def _print_plan(plan: Plan, output: PlanFormat, state: Path | None) -> None:
    if output is PlanFormat.TEXT:
        show_plan(plan, state)
        return
    plan = add_state_to_plan(plan, state)
    match output:
        case PlanFormat.JSON:
            terminal.print_json(plan.to_shape())
        case PlanFormat.MARKDOWN:
            typer.echo(render_markdown(plan), nl=False)
        case PlanFormat.HTML:
            typer.echo(render_html(plan), nl=False)
