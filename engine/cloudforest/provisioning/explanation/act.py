"""Explains what the next cycle would send: requests, and a group's member changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from cloudforest.model.effects import (
    Change,
    Effect,
    build_membership_key,
)
from cloudforest.program.scim.resource import assemble_resource, make_patch_operations
from cloudforest.provisioning.explanation.steps import MAX_NAMED, ExplanationStep
from cloudforest.provisioning.log_entries import (
    list_sensitive_paths,
    list_sent_changes,
    redact_changes,
)
from cloudforest.provisioning.run import CycleContext

BATCH = 1000
NOTHING_TO_WRITE = "The target already has the mapped values."
NOT_YET_CREATED = "(resource of {}, not created yet)"
_HELD_STATES = {"escrowed": "escrow", "staged": "staged"}


async def _find_held_memberships(
    context: CycleContext, group: str, members: Sequence[str]
) -> dict[str, str]:
    """Return the single memberships that wait: in `escrow`, or `staged`."""
    held: dict[str, str] = {}
    now = context.clock()
    for at in range(0, len(members), BATCH):
        keys = {
            build_membership_key(group, each): each for each in members[at : at + BATCH]
        }
        for key, each in (
            await context.store.load_effects(context.key_name, list(keys))
        ).items():
            if each.is_held(now):
                held[keys[key]] = "escrow"
            elif each.state == "staged":
                held[keys[key]] = "staged"
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


async def _list_member_effects(
    context: CycleContext, group: str
) -> AsyncIterator[Effect]:
    prefix = after = build_membership_key(group, "")
    while batch := await context.store.list_effects(
        context.key_name, after=after, limit=BATCH
    ):
        of_group = [each for each in batch if each.key.startswith(prefix)]
        for each in of_group:
            yield each
        if len(of_group) < len(batch):
            return
        after = batch[-1].key


async def _sum_evaluated(context: CycleContext, group: str) -> dict[str, Any]:
    """Sum up the effects that an evaluation put into the outbox for a group."""
    added: list[str] = []
    removed: list[str] = []
    held: Counter[str] = Counter()
    async for each in _list_member_effects(context, group):
        if each.state == "pending":
            added += each.add
            removed += each.remove
        elif each.state in _HELD_STATES:
            held[_HELD_STATES[each.state]] += len(each.add) + len(each.remove)
    return _member_data(added, removed, held)


async def explain_member_changes(
    context: CycleContext, group: str, desired: Sequence[str]
) -> dict[str, Any]:
    """Return the member changes of a group, counted and with the first few named.

    A plan has already evaluated them; otherwise compare with the written members.
    """
    if context.is_scratch:
        return await _sum_evaluated(context, group)
    return await _compare_members(context, group, desired)


async def _list_changes(context: CycleContext, effect: Effect) -> list[Change]:
    """Return the changes of an effect, redacted, with references as resource ids."""
    referenced = [each.to for each in effect.references if each.to]
    resource_ids = (
        await context.store.load_resource_ids(context.job.target, referenced)
        if referenced
        else {}
    )
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
    resource_type = effect.resource_type
    if effect.is_creation and not effect.references:
        values = {each.path: each.after for each in changes if each.after is not None}
        return {
            "method": "POST",
            "resourceType": resource_type,
            "body": assemble_resource(resource_type, values),
        }
    if effect.action == "delete":
        return {
            "method": "DELETE",
            "resourceType": resource_type,
            "resource": effect.resource,
        }
    operations = make_patch_operations(changes)
    if not operations:
        return None
    return {
        "method": "PATCH",
        "resourceType": resource_type,
        "resource": effect.resource,
        "body": {"Operations": operations},
    }


def prefer_held_effect(effect: Effect, previous: Effect | None) -> Effect:
    """Return the previous effect if it is still wanted and held back, not escrowed."""
    if (
        previous is None
        or previous.state == "pending"
        or previous.desired != effect.desired
    ):
        return effect
    return effect if previous.state == "escrowed" else previous


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
        detail["members"] = await explain_member_changes(context, group, members)
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
