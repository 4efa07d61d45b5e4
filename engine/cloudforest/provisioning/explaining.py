"""Explain: one object's steps through a job, from the directory to the request."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace as altered

from cloudforest.base.errors import Unavailable
from cloudforest.model.messages import (
    Gone,
    InScope,
    Lookup,
    ObjectRecord,
    OutOfScope,
    SyncRequest,
    Unknown,
)
from cloudforest.model.program import Rule
from cloudforest.model.provisioning import Effect, SourceRow, TargetResource
from cloudforest.program.attribute import attributes, compile_program
from cloudforest.program.digest import attributes_to_read
from cloudforest.program.expressions.reads import attributes_of
from cloudforest.program.faults import MappingFault
from cloudforest.provisioning.evaluating.deciding import decide, examine, held
from cloudforest.provisioning.evaluating.item import Item
from cloudforest.provisioning.evaluating.references import known_ends, reference
from cloudforest.provisioning.mapper import Mapper, mappers
from cloudforest.provisioning.matching import Ambiguous, Match, Matcher, Wanted
from cloudforest.provisioning.run import Run

STEPS = ("import", "scope", "match", "map", "act")
NOT_REACHED = "not reached"


@dataclass(frozen=True)
class Step:
    result: str
    detail: Any = None


async def _ask(run: Run, lookup: Lookup) -> ObjectRecord | None:
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
    found: ObjectRecord | None = None
    async for page in run.bus.ask(request):
        objects = [each for each in page.records if isinstance(each, ObjectRecord)]
        found = found or next(iter(objects), None)
        if page.closing is not None and page.closing.error is not None:
            raise Unavailable(page.closing.error)
    return found


def _arrival(record: ObjectRecord | None) -> dict[str, Step]:
    """Explain import and scope."""
    match record:
        case InScope():
            detail = {"dn": record.dn, "attributes": record.attributes}
            return {"import": Step("found", detail), "scope": Step("in")}
        case OutOfScope(clause=clause):
            return {"import": Step("found"), "scope": Step("out", clause)}
        case Gone():
            return {"import": Step("gone", "The directory holds its tombstone.")}
        case Unknown() | None:
            sentence = "The directory shows no such object to the agent's account."
            return {"import": Step("unknown", sentence)}


def _map_rule(mapper: Mapper, rule: Rule, row: SourceRow) -> dict[str, Any]:
    single = altered(mapper.program, rules=(rule,))
    names = sorted(attributes_of(rule.expression))
    inputs = attributes(row)
    line: dict[str, Any] = {
        "target": rule.target,
        "expression": rule.text,
        "inputs": {name: list(inputs.get(name, ())) for name in names},
    }
    try:
        desired = compile_program(single)(row)
    except MappingFault as fault:
        return line | {"error": fault.reason}
    values: dict[str, Any] = desired.references if rule.reference else desired.values
    return line | {"result": values.get(rule.target)}


async def _match(run: Run, item: Item) -> tuple[Match, Step]:
    if item.link is not None:
        detail = {"resource": item.link.resource, "origin": item.link.origin}
        return None, Step("linked", detail)
    wanted = Wanted(id=item.row.id, values=item.desired.values)
    try:
        match = (await Matcher(run).match(item.mapper, [wanted]))[item.row.id]
    finally:
        await run.store.clear_snapshot(run.picture)
    match match:
        case Ambiguous(reason=reason):
            return match, Step("ambiguous", reason)
        case None:
            return None, Step("none", "No resource of the target matches.")
        case TargetResource():
            return match, Step("matched", {"resource": match.id})


def _lines(effect: Effect) -> list[dict[str, Any]]:
    changes = [
        {"path": each.path, "before": each.before, "after": each.after}
        for each in effect.changes
        if each.before != each.after
    ]
    return changes + [{"path": each.path, "to": each.to} for each in effect.references]


async def _act(run: Run, item: Item, main: Effect | None) -> Step:
    """Say what the next cycle would send."""
    if main is not None and main.state == "escrowed":
        return Step("escrow", main.reason)
    named = [guid for guids in item.desired.references.values() for guid in guids]
    other = reference(item, main, ends=await known_ends(run, named))
    effects = [each for each in (main, other) if each is not None]
    if not effects:
        return Step("nothing", "The target holds what we would write.")
    return Step(effects[0].action, [line for each in effects for line in _lines(each)])


async def _steps_of(run: Run, row: SourceRow, mapper: Mapper) -> dict[str, Step]:
    """Explain match and act, by the steps of an evaluation."""
    now = run.clock()
    links = await run.store.links(run.job.target, [row.id])
    prior = (await run.store.effects(run.rows, [row.id])).get(row.id)
    item = examine(row, mapper, link=links.get(row.id), prior=prior, now=now)
    if isinstance(item, Effect):
        return {"act": Step("escrow", item.reason)}
    if (waiting := held(item, now)) is not None:
        return {"act": Step("escrow", waiting.reason)}
    match, step = await _match(run, item)
    return {"match": step, "act": await _act(run, item, decide(item, match, now))}


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
    failed = any("error" in line for line in lines)
    step = Step("failed" if failed else "mapped", lines)
    return {"map": step} | await _steps_of(run, row, mapper)


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
