"""`plan` and `apply`: what would change and whom it touches; then, the change.

A plan on the terminal: by kind, each field from old to new, then whom it touches.

The git commit that a tree is at, for the audit.
"""

from __future__ import annotations

import asyncio
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

from cloudforest.adapters.control.client import ControlPlaneClient
from cloudforest.base.errors import Interrupted
from cloudforest.cli import terminal
from cloudforest.cli.boundary import Exit, worst
from cloudforest.cli.connection import connect_to_tree
from cloudforest.cli.options import State, Tree, state_folder, state_to_say, usage
from cloudforest.cli.terminal import bars, command, heading, out, suggest
from cloudforest.cli.validate import compiled_tree
from cloudforest.control_plane.state_folder import with_state
from cloudforest.model.registration import Registration
from cloudforest.plan.difference import KINDS, Change, FieldChange
from cloudforest.plan.html import render_html
from cloudforest.plan.markdown import render_markdown
from cloudforest.plan.plan import Foreseen, JobImpact, Plan, make_plan
from cloudforest.plan.saved import SavedPlan, require_free, save_plan, saved_plan
from cloudforest.plan.wording import (
    NOT_EVALUATED,
    Run,
    blocked_in_words,
    counts_in_words,
    field_in_words,
    items,
    objection,
    tables,
    telling_fields,
    total,
    word_diff,
)

_STYLES = {"create": "green", "update": "yellow", "rename": "cyan", "delete": "red"}
_MARKS = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
"""Those of `git diff --word-diff`, which are there without colours too."""
_RUN_STYLES = {"same": "", "gone": "red", "new": "green"}
_NOTHING = "(nothing)"
_WIDE = 3
"""Tables of so many columns say what these are."""


def show_plan(plan: Plan, state: Path | None = None) -> None:
    by_kind = sorted(plan.changes, key=lambda each: KINDS.index(each.kind))
    for kind, changes in groupby(by_kind, key=lambda each: each.kind):
        heading(kind)
        for change in changes:
            _show_change(change)
    if plan.changes:
        out.print()
    _show_outcome(plan, state)


def _show_outcome(plan: Plan, state: Path | None) -> None:
    out.print(f"Plan: {total(plan)} (against revision {plan.base}).", style="bold")
    if not plan.evaluated:
        out.print(f"  {NOT_EVALUATED}", markup=False)
    for impact in plan.impacts:
        told = f"  {impact.job}: {counts_in_words(impact)}"
        out.print(told, markup=False, soft_wrap=True)
        _show_touched(impact)
    for consequence in plan.consequences:
        out.print(f"  {consequence.sentence}", markup=False, soft_wrap=True)
    for warning in plan.warnings:
        out.print(f"  Warning: {warning}", style="yellow", markup=False, soft_wrap=True)
    for impact in plan.impacts:
        _show_guards(impact, state)


def _show_guards(impact: JobImpact, state: Path | None) -> None:
    for guard in impact.guards:
        sentence = f"  {objection(impact)}: {blocked_in_words(guard)}"
        out.print(sentence, style="bold red", markup=False, soft_wrap=True)
        if guard.allow:
            suggest(command(guard.allow, state), "to let them happen")


def _show_touched(impact: JobImpact) -> None:
    """Show each table under its title, the columns in line, however long the lines."""
    for table in tables(impact):
        out.print(f"    {table.title}:", markup=False)
        rows = (
            table.rows if len(table.columns) < _WIDE else (table.columns, *table.rows)
        )
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        for row in rows:
            cells = map(str.ljust, row, widths)
            out.print(Text("      " + "  ".join(cells).rstrip()), soft_wrap=True)


def _show_change(change: Change) -> None:
    out.print(Text(f"{change}", style=_STYLES[change.action]))
    if change.action in {"update", "rename"}:
        for field in telling_fields(change):
            _show_field(field)


def _show_field(field: FieldChange) -> None:
    lists, runs = items(field), word_diff(field)
    if lists is not None:
        gone, new = lists
        lines = [Text(f"- {each}", "red") for each in gone]
        lines += [Text(f"+ {each}", "green") for each in new]
        out.print(f"    {field.path}:", markup=False)
        for line in lines:
            out.print(Text("      ") + line, soft_wrap=True)
    elif runs is not None:
        text = Text.assemble(*map(_marked, runs))
        out.print(Text(f"    {field.path}: ") + text, soft_wrap=True)
    else:
        before, after = (
            _NOTHING if value is None else field_in_words(field.path, value)
            for value in (field.before, field.after)
        )
        out.print(f"    {field.path}: {before} → {after}", markup=False, soft_wrap=True)


def _marked(run: Run) -> tuple[str, str]:
    return _MARKS[run.kind].format(run.text), _RUN_STYLES[run.kind]


def on_state(plan: Plan, state: Path | None) -> Plan:
    """Return the plan with commands that work on this state, for all other formats."""
    return replace(plan, impacts=tuple(_on_state(each, state) for each in plan.impacts))


def _on_state(impact: JobImpact, state: Path | None) -> JobImpact:
    guards = tuple(
        replace(each, allow=with_state(each.allow, state)) if each.allow else each
        for each in impact.guards
    )
    return replace(impact, guards=guards)


_SECONDS = 10


def commit_of(tree: Path) -> str | None:
    """Return the commit, `with changes` if the tree differs; None without git.

    The folder's own configuration may name a program as `core.fsmonitor`: not ours.
    """
    commit = _git(tree, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    changed = _git(tree, "status", "--porcelain", "--", ".")
    return f"{commit} with changes" if changed else commit


def _git(tree: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - the words are ours
            ["git", "-c", "core.fsmonitor=false", *words],  # noqa: S607 - the user's own
            cwd=tree,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


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
        show_plan(made, state)
        return
    made = on_state(made, state)
    match output:
        case PlanFormat.JSON:
            terminal.print_json(made.data())
        case PlanFormat.MARKDOWN:
            typer.echo(render_markdown(made), nl=False)
        case PlanFormat.HTML:
            typer.echo(render_html(made), nl=False)
