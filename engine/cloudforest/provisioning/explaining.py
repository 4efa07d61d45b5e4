"""Explain: one object's steps through a job, from the directory to the request."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from msgspec.structs import replace as altered

from cloudforest.base.errors import Unavailable
from cloudforest.model.messages import (
    Gone,
    InScope,
    Lookup,
    Members,
    OutOfScope,
    Record,
    SyncRequest,
    Unknown,
)
from cloudforest.model.program import Rule
from cloudforest.model.provisioning import Effect, SourceRow, TargetResource
from cloudforest.program.attribute import Desired, compile_program
from cloudforest.program.digest import attributes_to_read
from cloudforest.program.faults import MappingFault
from cloudforest.program.reads import attributes_of
from cloudforest.provisioning.evaluating.differences import write
from cloudforest.provisioning.evaluating.item import Item
from cloudforest.provisioning.evaluating.references import reference
from cloudforest.provisioning.mapper import Mapper, mappers
from cloudforest.provisioning.matching import Ambiguous, ask_for, unclaimed
from cloudforest.provisioning.run import Run

STEPS = ("import", "scope", "match", "map", "act")
NOT_REACHED = "not reached"


@dataclass(frozen=True)
class Step:
    result: str
    detail: Any = None


async def _ask(run: Run, lookup: Lookup) -> Record | None:
    """Return what an agent says of the object, memberships aside."""
    request = SyncRequest(
        id=uuid.uuid4().hex,
        job=run.job.name,
        domain=run.job.domain,
        kind="read",
        scope=run.program.scope,
        attributes=attributes_to_read(run.program),
        lookups=(lookup,),
    )
    found: Record | None = None
    async for page in run.bus.ask(request):
        objects = [each for each in page.records if not isinstance(each, Members)]
        found = found or next(iter(objects), None)
        if page.closing is not None and page.closing.error is not None:
            raise Unavailable(page.closing.error)
    return found


def _arrival(record: Record | None) -> dict[str, Step]:
    """Explain import and scope."""
    match record:
        case InScope():
            detail = {"dn": record.dn, "attributes": record.attributes}
            return {"import": Step("found", detail), "scope": Step("in")}
        case OutOfScope(clause=clause):
            return {"import": Step("found"), "scope": Step("out", clause)}
        case Gone():
            return {"import": Step("gone", "The directory holds its tombstone.")}
        case Members() | Unknown() | None:
            sentence = "The directory shows no such object to the agent's account."
            return {"import": Step("unknown", sentence)}


def _map_rule(mapper: Mapper, rule: Rule, row: SourceRow) -> dict[str, Any]:
    single = altered(mapper.program, rules=(rule,))
    names = sorted(attributes_of(rule.expression))
    line: dict[str, Any] = {
        "target": rule.target,
        "expression": rule.text,
        "inputs": {name: list(row.attributes.get(name, ())) for name in names},
    }
    try:
        desired = compile_program(single)(row)
    except MappingFault as fault:
        return line | {"error": fault.reason}
    values: dict[str, Any] = desired.references if rule.reference else desired.values
    return line | {"result": values.get(rule.target)}


async def _match(run: Run, item: Item) -> tuple[Item | None, Step]:
    """Return the object with its link or match; None when it can't be told."""
    if item.link is not None:
        detail = {"resource": item.link.resource, "origin": item.link.origin}
        return item, Step("linked", detail)
    match = await ask_for(run, item.mapper, item.desired.values)
    if isinstance(match, TargetResource):
        match = await unclaimed(run, item.row.id, match)
    if isinstance(match, Ambiguous):
        return None, Step("ambiguous", match.reason)
    if match is None:
        return item, Step("none", "No resource of the target matches.")
    return replace(item, matched=match), Step("matched", {"resource": match.id})


def _lines(effect: Effect) -> list[dict[str, Any]]:
    changes = [
        {"path": each.path, "before": each.before, "after": each.after}
        for each in effect.changes
        if each.before != each.after
    ]
    return changes + [{"path": each.path, "to": each.to} for each in effect.references]


async def _act(run: Run, item: Item) -> Step:
    """Say what the next cycle would send."""
    target = run.job.target
    named = [guid for guids in item.desired.references.values() for guid in guids]
    known = await run.store.known(run.rows, target, named)
    resources = await run.store.resource_ids(target, named)
    main = write(item)
    ends = {guid: resources.get(guid) for guid in known}
    other = reference(item, alone=main is None, ends=ends)
    effects = [each for each in (main, other) if each is not None]
    if not effects:
        return Step("nothing", "The target holds what we would write.")
    return Step(effects[0].action, [line for each in effects for line in _lines(each)])


async def _steps_of(
    run: Run, row: SourceRow, mapper: Mapper, desired: Desired
) -> dict[str, Step]:
    links = await run.store.links(run.job.target, [row.id])
    prior = await run.store.effects(run.rows, [row.id])
    item = Item(
        row=row,
        mapper=mapper,
        desired=desired,
        link=links.get(row.id),
        prior=prior.get(row.id),
    )
    matched, step = await _match(run, item)
    if matched is None:
        return {"match": step, "act": Step("escrow", step.detail)}
    return {"match": step, "act": await _act(run, matched)}


async def _service_steps(run: Run, record: InScope) -> dict[str, Step]:
    """Explain match, map and act."""
    mapper = mappers(run.program).get(record.type)
    if mapper is None:
        return {"map": Step("skipped", f"The job maps no {record.type}.")}
    row = SourceRow(
        id=record.id,
        type=record.type,
        dn=record.dn,
        parent=record.parent,
        anchor=record.anchor,
        attributes=record.attributes,
    )
    rules = [
        rule for rule in mapper.program.rules if not (rule.reference and rule.multi)
    ]
    lines = [_map_rule(mapper, rule, row) for rule in rules]
    try:
        desired = mapper.desire(row)
    except MappingFault as fault:
        return {"map": Step("failed", lines), "act": Step("escrow", str(fault))}
    return {"map": Step("mapped", lines)} | await _steps_of(run, row, mapper, desired)


async def explain(run: Run, lookup: Lookup) -> dict[str, Any]:
    """Return `{"object", "steps": [{"step", "result", "detail"}]}`; write nothing."""
    record = await _ask(run, lookup)
    steps = _arrival(record)
    if isinstance(record, InScope):
        steps |= await _service_steps(run, record)
    reached = [(name, steps.get(name, Step(NOT_REACHED))) for name in STEPS]
    return {
        "object": record.id if record else lookup.value,
        "steps": [
            {"step": name, "result": step.result, "detail": step.detail}
            for name, step in reached
        ],
    }
