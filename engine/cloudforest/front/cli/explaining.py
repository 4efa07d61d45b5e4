"""`explain`: why one object is as it is, step by step; writes nothing."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudforest.front import terminal
from cloudforest.front.boundary import Exit
from cloudforest.front.cli.jobs import JobName
from cloudforest.front.cli.options import Format, Output, State, state_folder
from cloudforest.front.hosting.connection import connect
from cloudforest.model.messages import Lookup
from cloudforest.plan.wording import in_words

Subject = Annotated[
    str,
    typer.Argument(
        metavar="OBJECT",
        help="A DN, an objectGUID, ATTRIBUTE=VALUE, or a userPrincipalName.",
    ),
]


def explain(
    job: JobName, subject: Subject, *, state: State = None, output: Output = Format.TEXT
) -> int:
    """Explain one object: import, scope, match, map and act."""
    return asyncio.run(_explain(job, subject, state, output))


async def _explain(job: str, subject: str, state: Path | None, output: Format) -> int:
    async with connect(state_folder(state), agents=True) as client:
        explanation = await client.explain(job, lookup(subject))
    found = explanation["steps"][0]["result"] != "unknown"
    if output is Format.JSON:
        terminal.print_json(explanation)
        return Exit.DONE if found else Exit.FAILED
    terminal.heading(explanation["object"])
    for step in explanation["steps"]:
        terminal.out.print(f"{step['step']:>8}  {step['result']}", markup=False)
        for line in _detail(step["detail"]):
            terminal.out.print(f"          {line}", markup=False, soft_wrap=True)
    return Exit.DONE if found else Exit.FAILED


def lookup(subject: str) -> Lookup:
    """Read what a person typed: a GUID, a DN, an attribute with its value, or a UPN."""
    try:
        return Lookup(by="guid", value=str(uuid.UUID(subject)))
    except ValueError:
        pass
    if "=" not in subject:
        return Lookup(by="attribute", attribute="userPrincipalName", value=subject)
    if "=" in subject.partition(",")[2]:
        return Lookup(by="dn", value=subject)
    attribute, _, value = subject.partition("=")
    return Lookup(by="attribute", attribute=attribute, value=value)


def _mapped(rule: dict[str, Any]) -> str:
    inputs = ", ".join(
        f"{key}={in_words(value)}" for key, value in rule["inputs"].items()
    )
    result = in_words(rule["result"])
    return f"{rule['target']} = {result}   <- {rule['expression']}   ({inputs})"


def _detail(detail: Any) -> list[str]:
    if isinstance(detail, dict):
        return [f"{key}: {in_words(value)}" for key, value in detail.items()]
    if isinstance(detail, list):
        return [_mapped(each) for each in detail]
    return [] if detail is None else [str(detail)]
