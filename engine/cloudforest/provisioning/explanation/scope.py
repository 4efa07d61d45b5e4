"""Explains import and scope: what the directory shows, and each clause.

Explains what becomes of an object that is out of scope or gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudforest.model.messages import InScope, OutOfScope, Tombstone
from cloudforest.model.program import JobProgram
from cloudforest.model.source import Link, Presence, SourceObject
from cloudforest.program.attributes_read import find_expression_attributes
from cloudforest.provisioning.evaluation.deprovision import (
    decide_deprovision,
    find_held_by_siblings,
)
from cloudforest.provisioning.explanation.act import explain_act, prefer_held_effect
from cloudforest.provisioning.explanation.lookup import LookupResult
from cloudforest.provisioning.explanation.steps import (
    MAX_NAMED,
    ExplanationStep,
    Steps,
    explain_link,
)
from cloudforest.provisioning.log_entries import LEAVER_REASONS, REDACTED
from cloudforest.provisioning.mapper import build_mappers
from cloudforest.provisioning.run import CycleContext

UNKNOWN = (
    "The directory of {} shows no such object to the agent's account. It may be in "
    "another domain, be deleted since long, or be hidden: this proves nothing, so "
    "nobody is deprovisioned for it."
)
DELETED = (
    "The object was deleted: the directory shows its tombstone, or a complete export "
    "does not hold it."
)
HIDDEN_ATTRIBUTES = (
    "The object showed these attributes before, and nothing proves that they were "
    "cleared: what they were stays. See that the agent's account may read them."
)
WITHHELD = "Nothing of an object out of scope crosses the bus but its objectGUID."


def _attributes_read(program: JobProgram, *, sensitive: bool) -> frozenset[str]:
    rules = [rule for mapping in program.mappings for rule in mapping.rules]
    return frozenset(
        name
        for rule in rules
        if rule.sensitive is sensitive
        for name in find_expression_attributes(rule.expression)
    )


def list_shown_attributes(program: JobProgram) -> frozenset[str]:
    """Return what is told of people: all that is read and not hidden."""
    asked = {name for mapping in program.mappings for name in mapping.reads}
    return (
        _attributes_read(program, sensitive=False) | asked
    ) - list_redacted_attributes(program)


def list_redacted_attributes(program: JobProgram) -> frozenset[str]:
    """Return what only sensitive rules read."""
    return _attributes_read(program, sensitive=True) - _attributes_read(
        program, sensitive=False
    )


async def _import_detail(
    context: CycleContext, record: InScope, members: Sequence[str]
) -> dict[str, Any]:
    hidden = list_redacted_attributes(context.program)
    detail: dict[str, Any] = {
        "type": record.type,
        "dn": record.dn,
        "anchor": record.anchor,
        "attributes": {
            name: [REDACTED] if name in hidden else list(values)
            for name, values in record.attributes.items()
        },
    }
    if record.missing and (
        stored := await context.store.load_source_object(context.key_name, record.id)
    ):
        kept = [name for name in record.missing if name in stored.attributes]
        detail["kept"] = (
            {"because": HIDDEN_ATTRIBUTES, "attributes": kept} if kept else None
        )
    if record.type == "group":
        dns = await context.store.load_dns(context.key_name, members[:MAX_NAMED])
        first = [dns.get(each, each) for each in members[:MAX_NAMED]]
        detail["members"] = {"count": len(members), "first": first}
    count, groups = await context.store.list_groups_of(
        context.key_name, record.id, MAX_NAMED
    )
    return detail | {"memberOf": {"count": count, "first": list(groups)}}


def _clause_data(record: InScope | OutOfScope) -> list[dict[str, Any]]:
    return [{"clause": each.text, "holds": each.holds} for each in record.clauses]


def _scope_step(context: CycleContext, record: InScope) -> ExplanationStep:
    detail = {"clauses": _clause_data(record)}
    if record.type in build_mappers(context.program):
        return ExplanationStep("in", detail)
    because = (
        f"The job {context.job.name} maps no {record.type}, so it leaves it alone."
    )
    return ExplanationStep("not mapped", {"because": because, **detail})


async def explain_import_and_scope(
    context: CycleContext, found: LookupResult | None
) -> Steps:
    if found is None:
        return {
            "import": ExplanationStep("unknown", UNKNOWN.format(context.job.domain))
        }
    match found.record:
        case InScope() as record:
            imported = ExplanationStep(
                "found", await _import_detail(context, record, found.members)
            )
            return {"import": imported, "scope": _scope_step(context, record)}
        case OutOfScope() as record:
            detail = {"because": record.clause, "clauses": _clause_data(record)}
            return {
                "import": ExplanationStep("found", WITHHELD),
                "scope": ExplanationStep("out", detail),
            }
        case Tombstone():
            return {
                "import": ExplanationStep("gone", DELETED),
                "scope": ExplanationStep("gone"),
            }


NEVER_WRITTEN = (
    "The job has written no resource for it, so there is nothing to take away."
)
UNMAPPED = "The job maps no {} any more, so what it wrote is left in place."
HELD_BY_SIBLING = (
    "Another job of this target holds the object; it is that job's to keep."
)
NOTHING_LEFT = "The mapping keeps the resource, or its access was taken away already."
HIDDEN_SCOPE_ATTRIBUTES = (
    "It may be in scope: what decides ({}) was seen before and is not shown now. That "
    "proves nothing, so it is left as it was."
)
LEAVES_SCOPE = "leaves scope"
LEAVES_SCOPE_BY = "leaves scope: {}"


def _excluding_clause(record: OutOfScope) -> str | None:
    """Return what keeps it out: of a filter, the operand."""
    failing = [each.text for each in record.clauses if not each.holds]
    operand = next((each for each in failing if " clause " in each), None)
    if operand is not None and (record.clause or "").startswith("filters."):
        return operand
    return record.clause


def describe_exclusion(record: OutOfScope) -> str:
    clause = _excluding_clause(record)
    return LEAVES_SCOPE_BY.format(clause) if clause else LEAVES_SCOPE


def _nothing_step(because: str) -> ExplanationStep:
    return ExplanationStep("nothing", {"because": because})


async def _is_hidden(context: CycleContext, record: OutOfScope | Tombstone) -> bool:
    """Tell whether the object is out for want of what we saw before (promise 2)."""
    source = await context.store.load_source_object(context.key_name, record.id)
    return (
        isinstance(record, OutOfScope)
        and source is not None
        and not set(record.rests_on).isdisjoint(source.shown)
    )


def _build_source_object(record: OutOfScope | Tombstone, link: Link) -> SourceObject:
    presence: Presence = "gone" if isinstance(record, Tombstone) else "out"
    return SourceObject(
        object_guid=record.id,
        type=link.type,
        dn="",
        parent=None,
        source_anchor=link.source_anchor,
        attributes={},
        presence=presence,
    )


async def _explain_deprovision(
    context: CycleContext, record: OutOfScope | Tombstone, link: Link
) -> ExplanationStep:
    mapper = build_mappers(context.program).get(link.type)
    if mapper is None:
        return _nothing_step(UNMAPPED.format(link.type))
    if isinstance(record, OutOfScope) and await _is_hidden(context, record):
        return _nothing_step(HIDDEN_SCOPE_ATTRIBUTES.format(", ".join(record.rests_on)))
    if await find_held_by_siblings(context, [record.id]):
        return _nothing_step(HELD_BY_SIBLING)
    effect = decide_deprovision(_build_source_object(record, link), mapper, link)
    if effect is None:
        return _nothing_step(NOTHING_LEFT)
    prior = (await context.store.load_effects(context.key_name, [record.id])).get(
        record.id
    )
    step = await explain_act(
        context, [prefer_held_effect(effect, prior)], group=None, members=()
    )
    because = step.detail["because"] or _leaver_reason(record)
    return ExplanationStep(step.result, step.detail | {"because": because})


def _leaver_reason(record: OutOfScope | Tombstone) -> str:
    return (
        describe_exclusion(record)
        if isinstance(record, OutOfScope)
        else LEAVER_REASONS["gone"]
    )


async def explain_leaver(
    context: CycleContext, record: OutOfScope | Tombstone
) -> Steps:
    link = (await context.store.load_links(context.job.target, [record.id])).get(
        record.id
    )
    if link is None:
        return {"act": _nothing_step(NEVER_WRITTEN)}
    return {
        "match": explain_link(link),
        "act": await _explain_deprovision(context, record, link),
    }
