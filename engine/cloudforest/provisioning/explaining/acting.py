"""Explains what the next cycle would send: requests as the target would get them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cloudforest.model.provisioning import Change, Effect
from cloudforest.program.resource import assemble, patch_operations
from cloudforest.provisioning.evaluating.evaluation import is_creation
from cloudforest.provisioning.explaining.members import changes_of_members
from cloudforest.provisioning.explaining.step import Step
from cloudforest.provisioning.logbook import differing, sensitive_paths, shown
from cloudforest.provisioning.run import Run

NOTHING = "The target holds what we would write."
COMING = "(the resource of {}, which is not there yet)"


async def _written(run: Run, effect: Effect) -> list[Change]:
    """Return the changes of an effect, references as resource ids, none sensitive."""
    named = [each.to for each in effect.references if each.to]
    there = await run.store.resource_ids(run.job.target, named) if named else {}
    references = [
        Change(
            path=each.path,
            before=each.before,
            after=there.get(each.to, COMING.format(each.to)) if each.to else None,
        )
        for each in effect.references
    ]
    hidden = sensitive_paths(run.program, effect.type)
    return list(shown([*differing(effect), *references], hidden))


def _request(effect: Effect, changes: Sequence[Change]) -> dict[str, Any] | None:
    kind = effect.resource_type
    if is_creation(effect) and not effect.references:
        values = {each.path: each.after for each in changes if each.after is not None}
        return {"method": "POST", "resourceType": kind, "body": assemble(kind, values)}
    if effect.action == "delete":
        return {"method": "DELETE", "resourceType": kind, "resource": effect.resource}
    operations = patch_operations(changes)
    if not operations:
        return None
    return {
        "method": "PATCH",
        "resourceType": kind,
        "resource": effect.resource,
        "body": {"Operations": operations},
    }


def as_it_stands(effect: Effect, prior: Effect | None) -> Effect:
    """Return the effect that the outbox holds back for the same wish, or this one."""
    if prior is None or prior.state == "pending" or prior.desired != effect.desired:
        return effect
    return effect if prior.state == "escrowed" else prior


def _because(effects: Sequence[Effect]) -> Iterator[str]:
    for effect in effects:
        if effect.reason is not None:
            yield effect.reason


async def acted(
    run: Run, effects: Sequence[Effect], *, group: str | None, members: Sequence[str]
) -> Step:
    """Say what would be sent for these effects, and for the members of a group."""
    detail: dict[str, Any] = {"because": " ".join(_because(effects)) or None}
    changes = [await _written(run, each) for each in effects]
    made = [_request(*each) for each in zip(effects, changes, strict=True)]
    detail["changes"] = [
        {"path": each.path, "before": each.before, "after": each.after}
        for some in changes
        for each in some
    ]
    detail["requests"] = [each for each in made if each is not None]
    if group is not None:
        detail["members"] = await changes_of_members(run, group, members)
    held = next((each for each in effects if each.state != "pending"), None)
    moved = detail.get("members", {"add": 0, "remove": 0})
    if held is not None:
        result = "escrow" if held.state == "escrowed" else held.state
        return Step(result, detail | {"requests": []})
    if effects:
        return Step(effects[0].action, detail)
    if moved["add"] or moved["remove"]:
        return Step("members", detail)
    if waiting := [each for each in ("staged", "escrow") if each in moved]:
        return Step(waiting[0], detail)
    return Step("nothing", detail | {"because": NOTHING})
