"""Explains import and scope, and what happens to an object out of scope or gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloudforest.model.messages import InScope, OutOfScope, Tombstone
from cloudforest.model.program import JobProgram
from cloudforest.model.source import Link, Presence, SourceObject
from cloudforest.program.expressions.analysis import find_expression_attributes
from cloudforest.provisioning.evaluation.decide import decide_deprovision
from cloudforest.provisioning.explanation.steps import (
    MAX_NAMED,
    ExplanationStep,
    Steps,
    explain_act,
    explain_link,
    prefer_held_effect,
)
from cloudforest.provisioning.log_entries import LEAVER_REASONS, REDACTED
from cloudforest.provisioning.mapper import build_mappers
from cloudforest.provisioning.run import CycleContext

UNKNOWN = (
    "The agent's account cannot see this object in {}. It may be in another domain, "
    "hidden, or deleted long ago. This proves nothing, so nothing is deprovisioned."
)
DELETED = (
    "The object was deleted: the directory has its tombstone, or it is missing from a "
    "complete export."
)
HIDDEN_ATTRIBUTES = (
    "The object had these attributes before, and nothing proves that they were "
    "cleared. Their values are kept. Check that the agent's account can read them."
)
WITHHELD = "Only the objectGUID of an object out of scope crosses the bus."
NEVER_WRITTEN = "The job never wrote a resource for this object: nothing to remove."
UNMAPPED = "The job no longer maps the type {}. What it wrote is left in place."
HELD_BY_SIBLING = (
    "Another job of this target holds the object. Only that job may remove it."
)
NOTHING_LEFT = "The mapping keeps the resource, or its access was already removed."
HIDDEN_SCOPE_ATTRIBUTES = (
    "The object may be in scope: the attributes that decide ({}) were visible before "
    "and are hidden now. This proves nothing, so the resource stays unchanged."
)
LEAVES_SCOPE = "leaves scope"
LEAVES_SCOPE_BY = "leaves scope: {}"


def _attributes_read(program: JobProgram, *, sensitive: bool) -> frozenset[str]:
    rules = [rule for mapping in program.mappings for rule in mapping.rules]
    return frozenset(
        name
        for rule in rules
        if rule.sensitive is sensitive
        for name in find_expression_attributes(rule.expression)
    )


def list_redacted_attributes(program: JobProgram) -> frozenset[str]:
    """Return the attributes that only sensitive mappings read."""
    plain = _attributes_read(program, sensitive=False)
    return _attributes_read(program, sensitive=True) - plain


def list_shown_attributes(program: JobProgram) -> frozenset[str]:
    """Return the attributes that explanations show: all that are read, not redacted."""
    read = {name for mapping in program.mappings for name in mapping.reads}
    plain = _attributes_read(program, sensitive=False)
    return (plain | read) - list_redacted_attributes(program)


async def _import_detail(
    context: CycleContext, record: InScope, members: Sequence[str]
) -> dict[str, Any]:
    redacted = list_redacted_attributes(context.program)
    detail: dict[str, Any] = {
        "type": record.type,
        "dn": record.dn,
        "anchor": record.anchor,
        "attributes": {
            name: [REDACTED] if name in redacted else list(values)
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


async def explain_import_and_scope(
    context: CycleContext,
    record: InScope | OutOfScope | Tombstone,
    members: Sequence[str],
) -> Steps:
    if isinstance(record, Tombstone):
        gone = ExplanationStep("gone", DELETED)
        return {"import": gone, "scope": ExplanationStep("gone")}
    clauses = [{"clause": each.text, "holds": each.holds} for each in record.clauses]
    if isinstance(record, OutOfScope):
        imported = ExplanationStep("found", WITHHELD)
        detail = {"because": record.clause, "clauses": clauses}
        return {"import": imported, "scope": ExplanationStep("out", detail)}
    imported = ExplanationStep("found", await _import_detail(context, record, members))
    if record.type in {each.source for each in context.program.mappings}:
        scope = ExplanationStep("in", {"clauses": clauses})
        return {"import": imported, "scope": scope}
    because = (
        f'The job "{context.job.name}" does not map the type "{record.type}", so the '
        "object is left alone."
    )
    scope = ExplanationStep("not mapped", {"because": because, "clauses": clauses})
    return {"import": imported, "scope": scope}


def describe_exclusion(record: OutOfScope) -> str:
    """Name the clause that excludes the object: the operand, if it is a filter's."""
    clause = record.clause
    if clause and clause.startswith("filters."):
        failing = [each.text for each in record.clauses if not each.holds]
        clause = next((each for each in failing if " clause " in each), clause)
    return LEAVES_SCOPE_BY.format(clause) if clause else LEAVES_SCOPE


def _nothing_step(because: str) -> ExplanationStep:
    return ExplanationStep("nothing", {"because": because})


async def _explain_deprovision(
    context: CycleContext, record: OutOfScope | Tombstone, link: Link
) -> ExplanationStep:
    mapper = build_mappers(context.program).get(link.type)
    if mapper is None:
        return _nothing_step(UNMAPPED.format(link.type))
    if isinstance(record, OutOfScope):
        stored = await context.store.load_source_object(context.key_name, record.id)
        if stored is not None and not set(record.rests_on).isdisjoint(stored.shown):
            names = ", ".join(record.rests_on)
            return _nothing_step(HIDDEN_SCOPE_ATTRIBUTES.format(names))
    if await context.find_held_by_siblings([record.id]):
        return _nothing_step(HELD_BY_SIBLING)
    presence: Presence = "gone" if isinstance(record, Tombstone) else "out"
    source = SourceObject(
        object_guid=record.id,
        type=link.type,
        dn="",
        parent=None,
        source_anchor=link.source_anchor,
        attributes={},
        presence=presence,
    )
    effect = decide_deprovision(source, mapper, link)
    if effect is None:
        return _nothing_step(NOTHING_LEFT)
    previous = await context.store.load_effects(context.key_name, [record.id])
    effect = prefer_held_effect(effect, previous.get(record.id))
    step = await explain_act(context, [effect], group=None, members=())
    because = step.detail["because"] or (
        LEAVER_REASONS["gone"]
        if isinstance(record, Tombstone)
        else describe_exclusion(record)
    )
    return ExplanationStep(step.result, step.detail | {"because": because})


async def explain_leaver(
    context: CycleContext, record: OutOfScope | Tombstone
) -> Steps:
    link = (await context.load_links([record.id])).get(record.id)
    if link is None:
        return {"act": _nothing_step(NEVER_WRITTEN)}
    return {
        "match": explain_link(link),
        "act": await _explain_deprovision(context, record, link),
    }
