"""Explains the match: its link, or each attempt to find its resource."""

from __future__ import annotations

from typing import Any

from cloudforest.model.outcomes import Refusal
from cloudforest.model.program import Rule
from cloudforest.model.provisioning import Link, MatchValue, TargetResource
from cloudforest.provisioning.evaluating.item import Item
from cloudforest.provisioning.explaining.step import Step
from cloudforest.provisioning.logbook import REDACTED
from cloudforest.provisioning.matching import Ambiguous, Match, Matcher, Wanted, sought
from cloudforest.provisioning.run import Run

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
