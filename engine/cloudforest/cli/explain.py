"""`explain`: one object, step by step, and how `provision` prints it too."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from rich.text import Text
from typer import BadParameter, Option

from cloudforest.base.errors import Misconfigured
from cloudforest.base.values import describe_value
from cloudforest.cli import options, terminal
from cloudforest.cli.boundary import ExitCode
from cloudforest.cli.connection import connect_to_state, connect_to_tree
from cloudforest.cli.options import TEXT
from cloudforest.cli.validate import require_compiled_tree

if TYPE_CHECKING:
    from cloudforest.model.messages import Lookup

_CHECK_MARKS = {True: ("✓", "green"), False: ("✗", "red")}
_MEMBER_SIGNS = {"firstAdded": "+ ", "firstRemoved": "- "}
_GOOD_RESULTS = frozenset({"found", "in", "linked", "matched", "mapped", "nothing"})


def print_steps(explanation: dict[str, Any]) -> None:
    terminal.print_heading(explanation["object"])
    for step in explanation["steps"]:
        result = step["result"]
        style = "green" if result in _GOOD_RESULTS else "bold"
        heading = Text.assemble(f"\n  {step['step']:<8}", (result, style))
        terminal.out_console.print(heading)
        for line in _format_detail(step["step"], step["detail"]):
            terminal.print_line(Text("    ").append(line))


def _format_detail(step: str, detail: Any) -> Iterator[Text]:
    if isinstance(detail, str):
        yield Text(detail)
    elif step == "map" and isinstance(detail, list):
        yield from map(_format_mapped_attribute, detail)
    elif isinstance(detail, dict):
        for key, value in detail.items():
            if value not in (None, [], {}):
                yield from _FORMATTERS.get(key, _format_plain)(key, value)


def _label(name: str, *parts: str | tuple[str, str]) -> Text:
    return Text.assemble((f"{name}: ", "dim"), *parts)


def _format_plain(key: str, value: Any) -> Iterator[Text]:
    yield _label(key, describe_value(value))


def _format_sentence(_key: str, value: str) -> Iterator[Text]:
    yield Text(value)


def _format_attributes(_key: str, attributes: dict[str, list[str]]) -> Iterator[Text]:
    for name, values in attributes.items():
        yield _label(name, "; ".join(values))


def _format_members(key: str, members: dict[str, Any]) -> Iterator[Text]:
    """Show the counts, and the first members by name."""
    numbers = (
        str(number) if name == "count" else f"{number} {name}"
        for name, number in members.items()
        if isinstance(number, int)
    )
    yield _label(key, ", ".join(numbers))
    for name, listed in members.items():
        for each in listed if isinstance(listed, list) else ():
            yield Text(f"  {_MEMBER_SIGNS.get(name, '')}{each}")


def _format_clauses(_key: str, clauses: Iterable[dict[str, Any]]) -> Iterator[Text]:
    for each in clauses:
        sign, style = _CHECK_MARKS[each["holds"]]
        yield Text.assemble((f"{sign} ", style), each["clause"])


def _format_attempts(_key: str, attempts: Iterable[dict[str, Any]]) -> Iterator[Text]:
    for each in attempts:
        found = "-" if each["found"] is None else each["found"]
        reason = f"   {each['reason']}" if "reason" in each else ""
        value = describe_value(each["value"])
        attempt = f"{each['attribute']} = {value}: {found} found"
        yield Text.assemble(attempt, (reason, "dim"))


def _format_changes(_key: str, changes: Iterable[dict[str, Any]]) -> Iterator[Text]:
    for each in changes:
        after = "(nothing)" if each["after"] is None else describe_value(each["after"])
        old = "" if each["before"] is None else f"{describe_value(each['before'])} → "
        yield Text(f"{each['path']}: {old}{after}")


def _format_requests(_key: str, requests: Iterable[dict[str, Any]]) -> Iterator[Text]:
    for each in requests:
        resource = f" {each['resource']}" if each.get("resource") else ""
        body = msgspec.json.encode(each["body"]).decode() if "body" in each else ""
        request = f"{each['method']} {each['resourceType']}{resource} "
        yield Text.assemble((request, "cyan"), body)


def _format_answers(_key: str, answers: Iterable[dict[str, Any]]) -> Iterator[Text]:
    for each in answers:
        status = f"{each['action']}: {each['status']}"
        http = f" (HTTP {each['httpStatus']})" if each["httpStatus"] else ""
        sign, style = _CHECK_MARKS[each["status"] == "success"]
        yield Text.assemble((f"{sign} ", style), status, http)
        if each["reason"]:
            yield Text(f"  {each['reason']}")
        for line in _format_changes("", each["changes"]):
            yield Text("  ").append(line)
        if each["members"]:
            counts = each["members"]
            yield Text(f"  {counts['added']} added, {counts['removed']} removed")


def _format_mapped_attribute(rule: dict[str, Any]) -> Text:
    given = rule["inputs"].items()
    inputs = ", ".join(f"{key}={describe_value(value)}" for key, value in given)
    origin = f"   ← {rule['expression']}" + (f"   ({inputs})" if inputs else "")
    return _label(rule["target"], _format_mapping_result(rule), (origin, "dim"))


def _format_mapping_result(rule: dict[str, Any]) -> tuple[str, str]:
    """Return an expression's value, or why it has none, and the style."""
    if "error" in rule:
        return rule["error"], "red"
    if "outcome" in rule:
        return f"({rule['outcome']})", "dim"
    if "candidates" in rule:
        return f"the first free value of {describe_value(rule['candidates'])}", ""
    return describe_value(rule["result"]), ""


_FORMATTERS: Mapping[str, Callable[[str, Any], Iterator[Text]]] = {
    "because": _format_sentence,
    "attributes": _format_attributes,
    "members": _format_members,
    "memberOf": _format_members,
    "clauses": _format_clauses,
    "attempts": _format_attempts,
    "changes": _format_changes,
    "requests": _format_requests,
    "answers": _format_answers,
}


@options.async_command
async def explain(
    job: options.Job,
    subject: options.Object,
    *,
    planned: Annotated[
        Path | None,
        Option(
            metavar="TREE",
            help="Explain with the documents of this folder, before they are applied.",
        ),
    ] = None,
    state: options.State = None,
    output: options.Format = TEXT,
) -> int:
    lookup = parse_lookup(subject)
    if planned is None:
        async with connect_to_state(state, agents=True) as client:
            explanation = await client.explain(job, lookup)
    else:
        explanation = await _explain_planned(job, lookup, planned, state)
    return print_explanation(explanation, output)


async def _explain_planned(
    job: str, lookup: Lookup, tree: Path, state: Path | None
) -> dict[str, Any]:
    compiled, desired = require_compiled_tree(tree)
    if desired.find_job(job) is None:
        jobs = ", ".join(each.name for each in desired.jobs) or "none"
        raise Misconfigured(f'The tree "{tree}" has no job "{job}". Its jobs: {jobs}.')
    async with connect_to_tree(compiled, state) as client:
        with terminal.show_progress("previewing the next cycle", enabled=True):
            return await client.explain_planned(job, lookup, desired)


def print_explanation(explanation: dict[str, Any], output: options.OutputFormat) -> int:
    """Print the steps; return FAILED if the directory does not show the object."""
    terminal.print_result(explanation, output, lambda: print_steps(explanation))
    found = explanation["steps"][0]["result"] != "unknown"
    return ExitCode.DONE if found else ExitCode.FAILED


def parse_lookup(subject: str) -> Lookup:
    """Read an objectGUID, a DN, ATTRIBUTE=VALUE, or a value."""
    from cloudforest.model.messages import Lookup

    if not subject.strip():
        raise BadParameter("Name an object: a GUID, a UPN or a DN.")
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
