"""The five steps of an explanation in their documented shape; explains match and map.

The match step names the link, or each attempt to find a resource. The map step names
each attribute with its expression, inputs and result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from cloudforest.model.ports.target import Refusal
from cloudforest.model.program import CompiledAttributeMapping
from cloudforest.model.source import Link, MatchValue, SourceObject, TargetResource
from cloudforest.program.expressions.analysis import find_expression_attributes
from cloudforest.program.expressions.values import as_items
from cloudforest.program.faults import AttributeIgnored, MappingFault, ObjectIgnored
from cloudforest.program.mapping.desired import compile_mapping, prepare_source_object
from cloudforest.provisioning.differences import Candidate
from cloudforest.provisioning.log_entries import REDACTED
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import (
    Match,
    Matcher,
    MatchFailure,
    UnlinkedObject,
    get_match_value,
)
from cloudforest.provisioning.run import CycleContext

STEPS = ("import", "scope", "match", "map", "act")
NOT_REACHED = "not reached"
MAX_NAMED = 20
"""Limit for the named members of a group, or groups of an object."""
NO_VALUE = "The object has no value for this attribute."
NOT_MATCHED = "No resource of the target matches."


@dataclass(frozen=True)
class ExplanationStep:
    result: str
    detail: Any = None


Steps = Mapping[str, ExplanationStep]


def build_explanation(subject: str, steps: Steps) -> dict[str, Any]:
    """Return `{"object", "steps": [{"step", "result", "detail"}]}`, all five."""
    reached = [(name, steps.get(name, ExplanationStep(NOT_REACHED))) for name in STEPS]
    return {
        "object": subject,
        "steps": [
            {"step": name, "result": step.result, "detail": step.detail}
            for name, step in reached
        ],
    }


def explain_link(link: Link) -> ExplanationStep:
    return ExplanationStep("linked", {"resource": link.resource, "origin": link.origin})


async def _count_matches(
    context: CycleContext,
    candidate: Candidate,
    rule: CompiledAttributeMapping,
    value: MatchValue,
) -> dict[str, Any]:
    resource_type = candidate.mapper.resource_type
    try:
        found = await context.target.find(resource_type, rule.target, value, ())
    except Refusal as refusal:
        return {"found": None, "reason": refusal.reason}
    return {"found": len(found)}


async def _explain_attempts(
    context: CycleContext, candidate: Candidate
) -> list[dict[str, Any]]:
    """Look up the object by each matching attribute, until one finds a resource."""
    attempts: list[dict[str, Any]] = []
    for rule in candidate.mapper.matching_mappings:
        value = get_match_value(candidate.desired.values, rule.target)
        attempt: dict[str, Any] = {"attribute": rule.target, "value": value}
        if value is None:
            attempts.append(attempt | {"found": 0, "reason": NO_VALUE})
            continue
        if rule.sensitive:
            attempt["value"] = REDACTED
        attempts.append(attempt | await _count_matches(context, candidate, rule, value))
        if attempts[-1]["found"]:
            break
    return attempts


def _match_detail(match: Match) -> tuple[str, dict[str, Any]]:
    match match:
        case MatchFailure(reason=reason):
            return "ambiguous", {"because": reason}
        case TargetResource(id=resource):
            return "matched", {"resource": resource}
        case None:
            return "none", {"because": NOT_MATCHED}


async def explain_match(
    context: CycleContext, candidate: Candidate
) -> tuple[Match, ExplanationStep]:
    if candidate.link is not None:
        return None, explain_link(candidate.link)
    guid = candidate.source.object_guid
    unlinked = UnlinkedObject(object_guid=guid, values=candidate.desired.values)
    try:
        matches = await Matcher(context).match_objects(candidate.mapper, [unlinked])
    finally:
        await context.store.clear_snapshot(context.snapshot_key)
    match = matches[guid]
    result, detail = _match_detail(match)
    return match, ExplanationStep(
        result, detail | {"attempts": await _explain_attempts(context, candidate)}
    )


def _map_attribute(
    mapper: Mapper, rule: CompiledAttributeMapping, source: SourceObject
) -> dict[str, Any]:
    single = replace(mapper.program, rules=(rule,))
    try:
        desired = compile_mapping(single, mapper.evaluation_context)(source)
    except MappingFault as fault:
        return {"error": fault.reason}
    except ObjectIgnored as ignored:
        return {"outcome": ignored.outcome}
    if rule.target in desired.ignored:
        return {"outcome": AttributeIgnored.outcome}
    if rule.target in desired.candidates:
        candidates = list(desired.candidates[rule.target])
        return {"candidates": [REDACTED] if rule.sensitive else candidates}
    values: dict[str, Any] = desired.references if rule.reference else desired.values
    result = values.get(rule.target)
    return {"result": REDACTED if rule.sensitive and result is not None else result}


def _explain_attribute(
    mapper: Mapper, rule: CompiledAttributeMapping, source: SourceObject
) -> dict[str, Any]:
    names = sorted(find_expression_attributes(rule.expression))
    values = prepare_source_object(source)
    inputs = {name: list(as_items(values.get(name))) for name in names}
    if rule.sensitive:
        inputs = {name: [REDACTED] if items else [] for name, items in inputs.items()}
    line = {"target": rule.target, "expression": rule.text, "inputs": inputs}
    return line | _map_attribute(mapper, rule, source)


def explain_mapping(mapper: Mapper, source: SourceObject) -> ExplanationStep:
    """Map each attribute by itself; the import step shows the memberships."""
    rules = [
        each for each in mapper.program.rules if not (each.reference and each.multi)
    ]
    lines = [_explain_attribute(mapper, rule, source) for rule in rules]
    failed = any("error" in line for line in lines)
    return ExplanationStep("failed" if failed else "mapped", lines)
