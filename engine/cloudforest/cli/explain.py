"""The five steps of one object, for people who read them on a terminal.

`explain` and `provision`: one object, step by step.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from cloudforest.base.errors import Misconfigured
from cloudforest.cli import terminal
from cloudforest.cli.boundary import Exit
from cloudforest.cli.connection import connect, connect_to_tree
from cloudforest.cli.job import JobName
from cloudforest.cli.options import Format, Output, State, state_folder
from cloudforest.cli.terminal import bars
from cloudforest.cli.validate import compiled_tree
from cloudforest.model.messages import Lookup
from cloudforest.plan.wording import in_words

_SIGNS = {True: ("✓", "green"), False: ("✗", "red")}
_GOOD = frozenset({"found", "in", "linked", "matched", "mapped", "nothing"})


def show_steps(explanation: dict[str, Any]) -> None:
    terminal.heading(explanation["object"])
    for step in explanation["steps"]:
        result = step["result"]
        style = "green" if result in _GOOD else "bold"
        terminal.out.print(Text.assemble(f"\n  {step['step']:<8}", (result, style)))
        for line in _lines(step["step"], step["detail"]):
            terminal.out.print(Text("    ").append(line), soft_wrap=True)


def _lines(step: str, detail: Any) -> Iterator[Text]:
    if isinstance(detail, str):
        yield Text(detail)
    elif step == "map" and isinstance(detail, list):
        yield from map(_mapped, detail)
    elif isinstance(detail, dict):
        for key, value in detail.items():
            if value not in (None, [], {}):
                yield from _RENDERINGS.get(key, _plain)(key, value)


def _plain(key: str, value: Any) -> Iterator[Text]:
    yield Text.assemble((f"{key}: ", "dim"), in_words(value))


def _sentence(_key: str, value: str) -> Iterator[Text]:
    yield Text(value)


def _attributes(_key: str, attributes: dict[str, list[str]]) -> Iterator[Text]:
    for name, values in attributes.items():
        yield Text.assemble((f"{name}: ", "dim"), "; ".join(values))


def _counted(key: str, members: dict[str, Any]) -> Iterator[Text]:
    """Show what is counted, and the first of them by name."""
    counts = {k: v for k, v in members.items() if isinstance(v, int)}
    numbers = ", ".join(
        f"{v} {k}" if k != "count" else str(v) for k, v in counts.items()
    )
    yield Text.assemble((f"{key}: ", "dim"), numbers)
    for name, some in members.items():
        for each in some if isinstance(some, list) else ():
            sign = (
                "- " if name == "firstRemoved" else "+ " if name == "firstAdded" else ""
            )
            yield Text(f"  {sign}{each}")


def _clauses(_key: str, clauses: Iterable[dict[str, Any]]) -> Iterator[Text]:
    for each in clauses:
        sign, style = _SIGNS[each["holds"]]
        yield Text.assemble((f"{sign} ", style), each["clause"])


def _attempts(_key: str, attempts: Iterable[dict[str, Any]]) -> Iterator[Text]:
    for each in attempts:
        found = "-" if each["found"] is None else each["found"]
        reason = f"   {each['reason']}" if "reason" in each else ""
        value = in_words(each["value"])
        yield Text.assemble(
            f"{each['attribute']} = {value}: {found} found", (reason, "dim")
        )


def _changes(_key: str, changes: Iterable[dict[str, Any]]) -> Iterator[Text]:
    for each in changes:
        after = "(nothing)" if each["after"] is None else in_words(each["after"])
        before = "" if each["before"] is None else f"{in_words(each['before'])} → "
        yield Text(f"{each['path']}: {before}{after}")


def _requests(_key: str, requests: Iterable[dict[str, Any]]) -> Iterator[Text]:
    for each in requests:
        resource = f" {each['resource']}" if each.get("resource") else ""
        body = msgspec.json.encode(each["body"]).decode() if "body" in each else ""
        yield Text.assemble(
            (f"{each['method']} {each['resourceType']}{resource} ", "cyan"), body
        )


def _answers(_key: str, answers: Iterable[dict[str, Any]]) -> Iterator[Text]:
    for each in answers:
        status = f"{each['action']}: {each['status']}"
        told = f" (HTTP {each['httpStatus']})" if each["httpStatus"] else ""
        sign, style = _SIGNS[each["status"] == "success"]
        yield Text.assemble((f"{sign} ", style), status, told)
        if each["reason"]:
            yield Text(f"  {each['reason']}")
        for line in _changes("", each["changes"]):
            yield Text("  ").append(line)
        if each["members"]:
            counts = each["members"]
            yield Text(f"  {counts['added']} added, {counts['removed']} removed")


def _mapped(rule: dict[str, Any]) -> Text:
    inputs = ", ".join(
        f"{key}={in_words(value)}" for key, value in rule["inputs"].items()
    )
    origin = f"   ← {rule['expression']}" + (f"   ({inputs})" if inputs else "")
    return Text.assemble((f"{rule['target']}: ", "dim"), _came(rule), (origin, "dim"))


def _came(rule: dict[str, Any]) -> tuple[str, str]:
    """Return what an expression came to: a value, or why there is none yet."""
    if "error" in rule:
        return rule["error"], "red"
    if "outcome" in rule:
        return f"({rule['outcome']})", "dim"
    if "candidates" in rule:
        return f"the first that is free: {in_words(rule['candidates'])}", ""
    return in_words(rule["result"]), ""


_RENDERINGS: Mapping[str, Callable[[str, Any], Iterator[Text]]] = {
    "because": _sentence,
    "attributes": _attributes,
    "members": _counted,
    "memberOf": _counted,
    "clauses": _clauses,
    "attempts": _attempts,
    "changes": _changes,
    "requests": _requests,
    "answers": _answers,
}


Subject = Annotated[
    str,
    typer.Argument(
        metavar="OBJECT",
        help="A DN, an objectGUID, ATTRIBUTE=VALUE, or a value that it is matched by.",
    ),
]


def explain(
    job: JobName,
    subject: Subject,
    *,
    planned: Annotated[
        Path | None,
        typer.Option(
            "--planned",
            metavar="TREE",
            help="Explain by the documents of this folder, which are not applied yet.",
        ),
    ] = None,
    state: State = None,
    output: Output = Format.TEXT,
) -> int:
    """Explain one object: import, scope, match, map and act. Writes nothing."""
    asked = lookup(subject)
    explained = (
        _explained(job, asked, state)
        if planned is None
        else _planned(job, asked, planned, state)
    )
    return _show(asyncio.run(explained), output)


async def _explained(job: str, asked: Lookup, state: Path | None) -> dict[str, Any]:
    async with connect(state_folder(state), agents=True) as client:
        return await client.explain(job, asked)


async def _planned(
    job: str, asked: Lookup, tree: Path, state: Path | None
) -> dict[str, Any]:
    compiled, desired = compiled_tree(tree)
    if desired.job(job) is None:
        there = ", ".join(each.name for each in desired.jobs) or "none"
        raise Misconfigured(f"The tree {tree} has no job {job}; it has: {there}.")
    async with connect_to_tree(compiled, state_folder(state, tree)) as client:
        with bars("evaluating the next cycle", shown=True):
            return await client.explain_planned(job, asked, desired)


def _show(explanation: dict[str, Any], output: Format) -> int:
    """Print the steps; whom the directory does not show is a failure."""
    if output is Format.JSON:
        terminal.print_json(explanation)
    else:
        show_steps(explanation)
    found = explanation["steps"][0]["result"] != "unknown"
    return Exit.DONE if found else Exit.FAILED


def lookup(subject: str) -> Lookup:
    """Read what a person typed: a GUID, a DN, ATTRIBUTE=VALUE, or just a value."""
    if not subject.strip():
        raise typer.BadParameter("The object has no name; write whom you mean.")
    try:
        return Lookup(by="guid", value=str(uuid.UUID(subject)))
    except ValueError:
        pass
    if "=" not in subject:
        return Lookup(by="attribute", value=subject)
    if "=" in subject.partition(",")[2]:
        return Lookup(by="dn", value=subject)
    attribute, _, value = subject.partition("=")
    return Lookup(by="attribute", attribute=attribute, value=value)
