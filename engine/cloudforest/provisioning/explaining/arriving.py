"""Explains import and scope: what the directory shows, and each clause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudforest.model.messages import Gone, InScope, OutOfScope
from cloudforest.model.program import JobProgram
from cloudforest.program.expressions.reads import attributes_of
from cloudforest.provisioning.explaining.finding import Found
from cloudforest.provisioning.explaining.step import FIRST, Step, Steps
from cloudforest.provisioning.logbook import REDACTED
from cloudforest.provisioning.mapper import mappers
from cloudforest.provisioning.run import Run

UNKNOWN = (
    "The directory of {} shows no such object to the agent's account. It may be in "
    "another domain, be deleted since long, or be hidden: this proves nothing, so "
    "nobody is deprovisioned for it."
)
GONE = (
    "The object was deleted: the directory shows its tombstone, or a complete export "
    "does not hold it."
)
HIDDEN = (
    "The object showed these attributes before, and nothing proves that they were "
    "cleared: what they were stays. See that the agent's account may read them."
)
WITHHELD = "Nothing of an object out of scope crosses the bus but its objectGUID."


def _read(program: JobProgram, *, sensitive: bool) -> frozenset[str]:
    rules = [rule for mapping in program.mappings for rule in mapping.rules]
    return frozenset(
        name
        for rule in rules
        if rule.sensitive is sensitive
        for name in attributes_of(rule.expression)
    )


def shown_attributes(program: JobProgram) -> frozenset[str]:
    """Return what is told of people: all that is read and not hidden."""
    asked = {name for mapping in program.mappings for name in mapping.reads}
    return (_read(program, sensitive=False) | asked) - hidden_attributes(program)


def hidden_attributes(program: JobProgram) -> frozenset[str]:
    """Return what only sensitive rules read."""
    return _read(program, sensitive=True) - _read(program, sensitive=False)


async def _imported(
    run: Run, record: InScope, members: Sequence[str]
) -> dict[str, Any]:
    hidden = hidden_attributes(run.program)
    detail: dict[str, Any] = {
        "type": record.type,
        "dn": record.dn,
        "anchor": record.anchor,
        "attributes": {
            name: [REDACTED] if name in hidden else list(values)
            for name, values in record.attributes.items()
        },
    }
    if record.missing and (stored := await run.store.source(run.rows, record.id)):
        kept = [name for name in record.missing if name in stored.attributes]
        detail["kept"] = {"because": HIDDEN, "attributes": kept} if kept else None
    if record.type == "group":
        dns = await run.store.dns(run.rows, members[:FIRST])
        first = [dns.get(each, each) for each in members[:FIRST]]
        detail["members"] = {"count": len(members), "first": first}
    count, groups = await run.store.groups_of(run.rows, record.id, FIRST)
    return detail | {"memberOf": {"count": count, "first": list(groups)}}


def _clauses(record: InScope | OutOfScope) -> list[dict[str, Any]]:
    return [{"clause": each.text, "holds": each.holds} for each in record.clauses]


def _scope(run: Run, record: InScope) -> Step:
    detail = {"clauses": _clauses(record)}
    if record.type in mappers(run.program):
        return Step("in", detail)
    because = f"The job {run.job.name} maps no {record.type}, so it leaves it alone."
    return Step("not mapped", {"because": because, **detail})


async def arrival(run: Run, found: Found | None) -> Steps:
    if found is None:
        return {"import": Step("unknown", UNKNOWN.format(run.job.domain))}
    match found.record:
        case InScope() as record:
            imported = Step("found", await _imported(run, record, found.members))
            return {"import": imported, "scope": _scope(run, record)}
        case OutOfScope() as record:
            detail = {"because": record.clause, "clauses": _clauses(record)}
            return {"import": Step("found", WITHHELD), "scope": Step("out", detail)}
        case Gone():
            return {"import": Step("gone", GONE), "scope": Step("gone")}
