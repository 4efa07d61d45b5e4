"""The five steps of an explanation in their documented shape; match, map and act.

The match step names the link, or each attempt to find a resource. The map step names
each attribute with its expression, inputs and result. The act step has the requests
that the next cycle would send, and a group's member changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from cloudforest.model.effects import Change, Effect, build_membership_key
from cloudforest.model.ports.target import Refusal
from cloudforest.model.program import CompiledAttributeMapping
from cloudforest.model.source import Link, SourceObject, TargetResource
from cloudforest.program.expressions.analysis import find_expression_attributes
from cloudforest.program.expressions.values import as_items
from cloudforest.program.faults import AttributeIgnored, MappingFault, ObjectIgnored
from cloudforest.program.mapping.desired import compile_mapping, prepare_source_object
from cloudforest.program.scim.resource import assemble_resource, make_patch_operations
from cloudforest.provisioning.differences import Candidate
from cloudforest.provisioning.log_entries import (
    REDACTED,
    list_sensitive_paths,
    list_sent_changes,
    redact_changes,
)
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import (
    Match,
    Matcher,
    MatchFailure,
    get_match_value,
)
from cloudforest.provisioning.run import CycleContext, read_pages

STEPS = ("import", "scope", "match", "map", "act")
NOT_REACHED = "not reached"
_MEMBERSHIP_BATCH = 1000
MAX_NAMED = 20
"""Limit for the named members of a group, or groups of an object."""
NO_VALUE = "The object has no value for this attribute."
NOT_MATCHED = "No resource of the target matches."
BATCH = 1000
NOTHING_TO_WRITE = "The target already has the mapped values."
NOT_YET_CREATED = "(resource of {}, not created yet)"
_HELD_STATES = {"escrowed": "escrow", "staged": "staged"}


@dataclass(frozen=True)
class ExplanationStep:
    result: str
    detail: Any = None


Steps = dict[str, ExplanationStep]


def build_explanation(subject: str, steps: Steps) -> dict[str, Any]:
    """Return `{"object", "steps": [{"step", "result", "detail"}]}`, all five."""
    reached = [(name, steps.get(name, ExplanationStep(NOT_REACHED))) for name in STEPS]
    lines = [{"step": n, "result": s.result, "detail": s.detail} for n, s in reached]
    return {"object": subject, "steps": lines}


def explain_link(link: Link) -> ExplanationStep:
    return ExplanationStep("linked", {"resource": link.resource, "origin": link.origin})


async def _explain_attempts(
    context: CycleContext, candidate: Candidate
) -> list[dict[str, Any]]:
    """Look up the object by each matching attribute, until one finds a resource."""
    attempts: list[dict[str, Any]] = []
    resource_type = candidate.mapper.resource_type
    for rule in candidate.mapper.matching_mappings:
        value = get_match_value(candidate.desired.values, rule.target)
        attempt: dict[str, Any] = {"attribute": rule.target, "value": value}
        if value is None:
            attempts.append(attempt | {"found": 0, "reason": NO_VALUE})
            continue
        if rule.sensitive:
            attempt["value"] = REDACTED
        attempts.append(attempt)
        try:
            found = await context.target.find(resource_type, rule.target, value, ())
        except Refusal as refusal:
            attempt |= {"found": None, "reason": refusal.reason}
            continue
        attempt["found"] = len(found)
        if found:
            break
    return attempts


async def explain_match(
    context: CycleContext, candidate: Candidate
) -> tuple[Match, ExplanationStep]:
    if candidate.link is not None:
        return None, explain_link(candidate.link)
    try:
        matches = await Matcher(context).match_objects(candidate.mapper, [candidate])
    finally:
        await context.store.clear_snapshot(context.snapshot_key)
    match = matches[candidate.object_guid]
    attempts = await _explain_attempts(context, candidate)
    match match:
        case MatchFailure(reason=reason):
            detail = {"because": reason, "attempts": attempts}
            return match, ExplanationStep("ambiguous", detail)
        case TargetResource(id=resource):
            detail = {"resource": resource, "attempts": attempts}
            return match, ExplanationStep("matched", detail)
        case None:
            detail = {"because": NOT_MATCHED, "attempts": attempts}
            return match, ExplanationStep("none", detail)


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
    rules = [r for r in mapper.program.rules if not (r.reference and r.multi)]
    lines = [_explain_attribute(mapper, rule, source) for rule in rules]
    failed = any("error" in line for line in lines)
    return ExplanationStep("failed" if failed else "mapped", lines)


async def _find_held_memberships(
    context: CycleContext, group: str, members: Sequence[str]
) -> dict[str, str]:
    """Return the single memberships that wait: in `escrow`, or `staged`."""
    now = context.clock()
    held: dict[str, str] = {}
    for start in range(0, len(members), _MEMBERSHIP_BATCH):
        part = members[start : start + _MEMBERSHIP_BATCH]
        keys = {build_membership_key(group, each): each for each in part}
        effects = await context.store.load_effects(context.key_name, list(keys))
        for key, each in effects.items():
            if each.is_held(now) or each.state == "staged":
                held[keys[key]] = _HELD_STATES[each.state]
    return held


def _member_data(
    added: Sequence[str], removed: Sequence[str], held: Counter[str]
) -> dict[str, Any]:
    return {
        "add": len(added),
        "remove": len(removed),
        "firstAdded": list(added[:MAX_NAMED]),
        "firstRemoved": list(removed[:MAX_NAMED]),
        **held,
    }


async def _compare_members(
    context: CycleContext, group: str, desired: Sequence[str]
) -> dict[str, Any]:
    """Compare a group's members with those that we wrote."""
    known = await context.store.find_known_objects(
        context.key_name, context.job.target, desired
    )
    written = await context.store.load_written_members(context.job.target, group)
    added = [each for each in desired if each in known and each not in written]
    removed = sorted(written.difference(desired))
    held = await _find_held_memberships(context, group, [*added, *removed])
    added = [each for each in added if each not in held]
    removed = [each for each in removed if each not in held]
    return _member_data(added, removed, Counter(held.values()))


async def _sum_evaluated(context: CycleContext, group: str) -> dict[str, Any]:
    """Sum up the effects that an evaluation put into the outbox for a group."""
    added: list[str] = []
    removed: list[str] = []
    held: Counter[str] = Counter()
    prefix = build_membership_key(group, "")
    async for batch in read_pages(
        lambda after: context.store.list_effects(
            context.key_name, after=after, limit=BATCH
        ),
        first=prefix,
    ):
        of_group = [each for each in batch if each.key.startswith(prefix)]
        for each in of_group:
            if each.state == "pending":
                added += each.add
                removed += each.remove
            elif each.state in _HELD_STATES:
                held[_HELD_STATES[each.state]] += len(each.add) + len(each.remove)
        if len(of_group) < len(batch):
            break
    return _member_data(added, removed, held)


async def _list_changes(context: CycleContext, effect: Effect) -> list[Change]:
    """Return the changes of an effect, redacted, with references as resource ids."""
    referenced = [each.to for each in effect.references if each.to]
    resource_ids = await context.load_resource_ids(referenced)
    references = [
        Change(
            path=each.path,
            before=each.before,
            after=resource_ids.get(each.to, NOT_YET_CREATED.format(each.to))
            if each.to
            else None,
        )
        for each in effect.references
    ]
    sensitive = list_sensitive_paths(context.program, effect.type)
    return list(redact_changes([*list_sent_changes(effect), *references], sensitive))


def _build_request(effect: Effect, changes: Sequence[Change]) -> dict[str, Any] | None:
    kind = {"resourceType": effect.resource_type}
    if effect.is_creation and not effect.references:
        values = {each.path: each.after for each in changes if each.after is not None}
        body = assemble_resource(effect.resource_type, values)
        return {"method": "POST", **kind, "body": body}
    if effect.action == "delete":
        return {"method": "DELETE", **kind, "resource": effect.resource}
    operations = make_patch_operations(changes)
    if not operations:
        return None
    body = {"Operations": operations}
    return {"method": "PATCH", **kind, "resource": effect.resource, "body": body}


def prefer_held_effect(effect: Effect, previous: Effect | None) -> Effect:
    """Return the previous effect if it is still wanted and held back, not escrowed."""
    if previous is None or previous.state in {"pending", "escrowed"}:
        return effect
    return previous if previous.desired == effect.desired else effect


async def explain_act(
    context: CycleContext,
    effects: Sequence[Effect],
    *,
    group: str | None,
    members: Sequence[str],
) -> ExplanationStep:
    """Explain what would be sent for these effects, and for the members of a group."""
    reasons = [each.reason for each in effects if each.reason is not None]
    changes = [await _list_changes(context, each) for each in effects]
    requests = [_build_request(*each) for each in zip(effects, changes, strict=True)]
    detail: dict[str, Any] = {
        "because": " ".join(reasons) or None,
        "changes": [
            {"path": each.path, "before": each.before, "after": each.after}
            for of_effect in changes
            for each in of_effect
        ],
        "requests": [each for each in requests if each is not None],
    }
    if group is not None:
        # A plan has evaluated the members; otherwise compare with the written ones.
        detail["members"] = (
            await _sum_evaluated(context, group)
            if context.is_scratch
            else await _compare_members(context, group, members)
        )
    held = next((each for each in effects if each.state != "pending"), None)
    member_data = detail.get("members", {"add": 0, "remove": 0})
    if held is not None:
        result = "escrow" if held.state == "escrowed" else held.state
        return ExplanationStep(result, detail | {"requests": []})
    if effects:
        return ExplanationStep(effects[0].action, detail)
    if member_data["add"] or member_data["remove"]:
        return ExplanationStep("members", detail)
    if waiting := [each for each in ("staged", "escrow") if each in member_data]:
        return ExplanationStep(waiting[0], detail)
    return ExplanationStep("nothing", detail | {"because": NOTHING_TO_WRITE})
