"""Explains the match: its link, or each attempt to find its resource.

The five steps of one object, in the documented shape.

Explains the mapping: each attribute with its expression, inputs and result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from cloudforest.model.ports.target import Refusal
from cloudforest.model.program import Rule
from cloudforest.model.source import Link, MatchValue, SourceRow, TargetResource
from cloudforest.program.attributes_read import attributes_of
from cloudforest.program.expressions.values import items
from cloudforest.program.faults import AttributeIgnored, MappingFault, ObjectIgnored
from cloudforest.program.mapping.desired import attributes, compile_program
from cloudforest.provisioning.differences import Item
from cloudforest.provisioning.log_entries import REDACTED
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Ambiguous, Match, Matcher, Wanted, sought
from cloudforest.provisioning.run import Run

STEPS = ("import", "scope", "match", "map", "act")
NOT_REACHED = "not reached"
FIRST = 20
"""So many of a group's members, or of a person's groups, are named."""


@dataclass(frozen=True)
class Step:
    result: str
    detail: Any = None


Steps = Mapping[str, Step]


def told(subject: str, steps: Steps) -> dict[str, Any]:
    """Return `{"object", "steps": [{"step", "result", "detail"}]}`, all five."""
    reached = [(name, steps.get(name, Step(NOT_REACHED))) for name in STEPS]
    return {
        "object": subject,
        "steps": [
            {"step": name, "result": step.result, "detail": step.detail}
            for name, step in reached
        ],
    }


NO_VALUE = "The object has no value to look for."
NOT_MATCHED = "No resource of the target matches."


def linked(link: Link) -> Step:
    return Step("linked", {"resource": link.resource, "origin": link.origin})


async def _found(run: Run, item: Item, rule: Rule, value: MatchValue) -> dict[str, Any]:
    kind = item.mapper.resource_type
    try:
        found = await run.target.find(kind, rule.target, value, ())
    except Refusal as refusal:
        return {"found": None, "reason": refusal.reason}
    return {"found": len(found)}


async def _attempts(run: Run, item: Item) -> list[dict[str, Any]]:
    """Look for the object by each rule, up to the one that finds something."""
    attempts: list[dict[str, Any]] = []
    for rule in item.mapper.matching:
        value = sought(item.desired.values, rule.target)
        attempt: dict[str, Any] = {"attribute": rule.target, "value": value}
        if value is None:
            attempts.append(attempt | {"found": 0, "reason": NO_VALUE})
            continue
        if rule.sensitive:
            attempt["value"] = REDACTED
        attempts.append(attempt | await _found(run, item, rule, value))
        if attempts[-1]["found"]:
            break
    return attempts


def _told(match: Match) -> tuple[str, dict[str, Any]]:
    match match:
        case Ambiguous(reason=reason):
            return "ambiguous", {"because": reason}
        case TargetResource(id=resource):
            return "matched", {"resource": resource}
        case None:
            return "none", {"because": NOT_MATCHED}


async def matched(run: Run, item: Item) -> tuple[Match, Step]:
    if item.link is not None:
        return None, linked(item.link)
    wanted = Wanted(id=item.row.id, values=item.desired.values)
    try:
        match = (await Matcher(run).match(item.mapper, [wanted]))[item.row.id]
    finally:
        await run.store.clear_snapshot(run.picture)
    result, detail = _told(match)
    return match, Step(result, detail | {"attempts": await _attempts(run, item)})


def _result(mapper: Mapper, rule: Rule, row: SourceRow) -> dict[str, Any]:
    single = replace(mapper.program, rules=(rule,))
    try:
        desired = compile_program(single, mapper.setting)(row)
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


def _line(mapper: Mapper, rule: Rule, row: SourceRow) -> dict[str, Any]:
    names = sorted(attributes_of(rule.expression))
    held = attributes(row)
    inputs = {name: list(items(held.get(name))) for name in names}
    if rule.sensitive:
        inputs = {name: [REDACTED] if some else [] for name, some in inputs.items()}
    line = {"target": rule.target, "expression": rule.text, "inputs": inputs}
    return line | _result(mapper, rule, row)


def mapped(mapper: Mapper, row: SourceRow) -> Step:
    """Map each attribute for itself; memberships are told by the import."""
    rules = [
        each for each in mapper.program.rules if not (each.reference and each.multi)
    ]
    lines = [_line(mapper, rule, row) for rule in rules]
    failed = any("error" in line for line in lines)
    return Step("failed" if failed else "mapped", lines)
