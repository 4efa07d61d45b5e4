"""Explains import and scope: what the directory shows, and each clause.

Explains what becomes of an object that is out of scope or gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudforest.model.messages import Gone, InScope, OutOfScope
from cloudforest.model.program import JobProgram
from cloudforest.model.source import Link, Presence, SourceRow
from cloudforest.program.attributes_read import attributes_of
from cloudforest.provisioning.evaluation.deprovision import deprovision, held_elsewhere
from cloudforest.provisioning.explanation.act import acted, as_it_stands
from cloudforest.provisioning.explanation.lookup import Found
from cloudforest.provisioning.explanation.steps import FIRST, Step, Steps, linked
from cloudforest.provisioning.log_entries import BECAUSE, REDACTED
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
HIDDEN_ATTRIBUTES = (
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
        detail["kept"] = (
            {"because": HIDDEN_ATTRIBUTES, "attributes": kept} if kept else None
        )
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


NEVER = "The job has written no resource for it, so there is nothing to take away."
UNMAPPED = "The job maps no {} any more, so what it wrote is left in place."
ELSEWHERE = "Another job of this target holds the object; it is that job's to keep."
LEFT = "The mapping keeps the resource, or its access was taken away already."
HIDDEN_DECIDING = (
    "It may be in scope: what decides ({}) was seen before and is not shown now. That "
    "proves nothing, so it is left as it was."
)
NOT_SAID = "leaves scope"
LEAVES = "leaves scope: {}"


def _clause(record: OutOfScope) -> str | None:
    """Return what keeps it out: of a filter, the operand."""
    failing = [each.text for each in record.clauses if not each.holds]
    operand = next((each for each in failing if " clause " in each), None)
    if operand is not None and (record.clause or "").startswith("filters."):
        return operand
    return record.clause


def why_out(record: OutOfScope) -> str:
    clause = _clause(record)
    return LEAVES.format(clause) if clause else NOT_SAID


def _nothing(because: str) -> Step:
    return Step("nothing", {"because": because})


async def _is_hidden(run: Run, record: OutOfScope | Gone) -> bool:
    """Tell whether the object is out for want of what we saw before (promise 2)."""
    row = await run.store.source(run.rows, record.id)
    return (
        isinstance(record, OutOfScope)
        and row is not None
        and not set(record.rests_on).isdisjoint(row.seen)
    )


def _row(record: OutOfScope | Gone, link: Link) -> SourceRow:
    presence: Presence = "gone" if isinstance(record, Gone) else "out"
    return SourceRow(
        id=record.id,
        type=link.type,
        dn="",
        parent=None,
        anchor=link.anchor,
        attributes={},
        state=presence,
    )


async def _act(run: Run, record: OutOfScope | Gone, link: Link) -> Step:
    mapper = mappers(run.program).get(link.type)
    if mapper is None:
        return _nothing(UNMAPPED.format(link.type))
    if isinstance(record, OutOfScope) and await _is_hidden(run, record):
        return _nothing(HIDDEN_DECIDING.format(", ".join(record.rests_on)))
    if await held_elsewhere(run, [record.id]):
        return _nothing(ELSEWHERE)
    effect = deprovision(_row(record, link), mapper, link)
    if effect is None:
        return _nothing(LEFT)
    prior = (await run.store.effects(run.rows, [record.id])).get(record.id)
    step = await acted(run, [as_it_stands(effect, prior)], group=None, members=())
    because = step.detail["because"] or _because(record)
    return Step(step.result, step.detail | {"because": because})


def _because(record: OutOfScope | Gone) -> str:
    return why_out(record) if isinstance(record, OutOfScope) else BECAUSE["gone"]


async def leaving(run: Run, record: OutOfScope | Gone) -> Steps:
    link = (await run.store.links(run.job.target, [record.id])).get(record.id)
    if link is None:
        return {"act": _nothing(NEVER)}
    return {"match": linked(link), "act": await _act(run, record, link)}
