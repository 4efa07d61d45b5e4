"""Evaluates memberships: compares those in the directory with those that we wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from msgspec.structs import replace

from cloudforest.model.effects import (
    PHASE_LEAVER_MEMBERSHIPS,
    PHASE_REFERENCE,
    Effect,
    build_membership_key,
)
from cloudforest.model.ports.target import Refusal
from cloudforest.model.program import ObjectType
from cloudforest.model.source import Link
from cloudforest.provisioning.evaluation.references import (
    find_pending_deletions,
    load_linkable,
)
from cloudforest.provisioning.evaluation.state import Evaluation, add_effect

BATCH = 1000

MembershipChange = tuple[str, str, bool]
"""A group, a member, and whether the membership is wanted."""
RetriedChange = tuple[MembershipChange, int, str]
"""A change, its number of failed attempts, and the time of the first, or ""."""


@dataclass
class Group:
    """A group whose memberships are evaluated.

    `present_members` are the resource ids of the members of a group that this cycle
    adopts. `is_counted`: it is already charged to `groupsEmptied`.
    """

    object_guid: str
    resource_type: str
    resource: str | None = None
    present_members: frozenset[str] = frozenset()
    is_emptied: bool = False
    chunks: int = 0
    is_counted: bool = False
    adds_only: bool = False
    is_deleted: bool = False


@dataclass(frozen=True)
class BatchFacts:
    """The facts about a batch: previous effects by key, and the state of its members.

    `linkable` are the members that have or will have a resource.
    """

    previous_effects: Mapping[str, Effect] = field(default_factory=dict)
    linkable: Mapping[str, str | None] = field(default_factory=dict)
    deleted_members: frozenset[str] = frozenset()


async def _list_present_members(
    evaluation: Evaluation, resource_type: str, resource: str
) -> frozenset[str]:
    try:
        return await evaluation.context.target.list_member_ids(resource_type, resource)
    except Refusal:
        # To add a member twice is harmless, and its answer tells more.
        return frozenset()


async def _load_group(
    evaluation: Evaluation, guid: str, link: Link | None, adopted_resource: str | None
) -> Group:
    """Return a group that has a resource, or will have one."""
    mapper = evaluation.mappers.get("group")
    rule = mapper.members_mapping if mapper else None
    adds_only = rule is not None and rule.flow_type == "MultiValueAddOnly"
    if link is not None:
        return Group(guid, link.resource_type, link.resource, adds_only=adds_only)
    resource_type = evaluation.mappers["group"].resource_type
    group = Group(guid, resource_type, adopted_resource, adds_only=adds_only)
    if adopted_resource is not None:
        group.present_members = await _list_present_members(
            evaluation, resource_type, adopted_resource
        )
    return group


async def load_groups(
    evaluation: Evaluation, batch: Sequence[MembershipChange], last: Group | None
) -> dict[str, Group]:
    """Return the groups of a batch that have, or will have, a resource.

    `last` is the last group of the previous batch. It is not loaded again: this reads
    all its members, and a group of 50,000 members fills many batches.
    """
    context = evaluation.context
    groups = {last.object_guid: last} if last is not None else {}
    guids = [
        guid
        for guid in dict.fromkeys(group for group, _, _ in batch)
        if guid not in groups
    ]
    if not guids:
        return groups
    links = await context.store.load_links(context.job.target, guids)
    adopted = await context.store.find_pending_writes(
        context.key_name, context.cycle_id, guids
    )
    linkable = [guid for guid in guids if guid in links or guid in adopted]
    emptied = await context.store.find_emptied_groups(
        context.key, context.cycle_id, linkable
    )
    deleted = await find_pending_deletions(context, linkable)
    for guid in linkable:
        group = await _load_group(evaluation, guid, links.get(guid), adopted.get(guid))
        group.is_emptied = guid in emptied
        group.is_deleted = guid in deleted
        groups[guid] = group
    return groups


async def load_batch_facts(
    evaluation: Evaluation, batch: Sequence[MembershipChange]
) -> BatchFacts:
    context = evaluation.context
    members = list(dict.fromkeys(member for _, member, _ in batch))
    keys = [build_membership_key(group, member) for group, member, _ in batch]
    removed = list(dict.fromkeys(member for _, member, wanted in batch if not wanted))
    return BatchFacts(
        previous_effects=await context.store.load_effects(context.live_read_key, keys),
        linkable=await load_linkable(evaluation, members),
        deleted_members=await find_pending_deletions(context, removed),
    )


def _member_types(evaluation: Evaluation) -> tuple[ObjectType, ...]:
    """Return the types of objects whose memberships the job writes."""
    return tuple(
        kind
        for kind, mapper in evaluation.mappers.items()
        if kind != "group" or mapper.members_mapping
    )


async def _list_changes(
    evaluation: Evaluation,
) -> AsyncIterator[list[MembershipChange]]:
    context, types = evaluation.context, _member_types(evaluation)
    after = ("", "")
    while batch := await context.store.list_membership_changes(
        context.key, context.cycle_id, types, after, BATCH
    ):
        yield batch
        after = batch[-1][:2]


def _build_effect(
    group: Group, key: str, changes: Sequence[MembershipChange]
) -> Effect:
    remove = tuple(member for _, member, wanted in changes if not wanted)
    guards = ("memberRemovals", *["groupsEmptied"] * group.is_emptied)
    return Effect(
        key=build_membership_key(group.object_guid, key),
        id=group.object_guid,
        type="group",
        resource_type=group.resource_type,
        action="members",
        phase=PHASE_REFERENCE,
        anchor="",
        resource=group.resource,
        add=tuple(member for _, member, wanted in changes if wanted),
        remove=remove,
        guards=guards if remove else (),
    )


def _build_chunk(group: Group, changes: Sequence[MembershipChange]) -> Effect:
    group.chunks += 1
    return _build_effect(group, f"{group.chunks:06}", changes)


def _cut_into_requests(
    evaluation: Evaluation, group: Group, changes: Sequence[RetriedChange]
) -> Iterator[Effect]:
    """Cut changes into requests; retried changes do not share one with new changes."""
    size = evaluation.context.profile.max_members_per_request
    by_attempts = itemgetter(1, 2)
    for (attempts, since), same in groupby(
        sorted(changes, key=by_attempts), key=by_attempts
    ):
        part = [change for change, _, _ in same]
        for at in range(0, len(part), size):
            effect = _build_chunk(group, part[at : at + size])
            first_failure = datetime.fromisoformat(since) if since else None
            yield replace(effect, attempts=attempts, since=first_failure)


def _with_attempts(change: MembershipChange, previous: Effect | None) -> RetriedChange:
    if (
        previous is None
        or previous.state != "escrowed"
        or bool(previous.add) is not change[2]
    ):
        return change, 0, ""
    return (
        change,
        previous.attempts,
        previous.since.isoformat() if previous.since else "",
    )


def _build_single(
    evaluation: Evaluation,
    group: Group,
    change: MembershipChange,
    previous: Effect | None,
) -> Effect | None:
    """Return the effect of a single membership, if it was tried or decided before."""
    if previous is None or bool(previous.add) is not change[2]:
        return None
    if previous.is_held(evaluation.now):
        return previous
    effect = _build_effect(group, change[1], [change]).retried_as(previous)
    effect = evaluation.stage_decisions.apply_to(effect, previous)
    is_new = effect.state == "pending" and effect.stage is None
    return None if is_new else effect


def _count_effect(evaluation: Evaluation, group: Group, effect: Effect) -> None:
    """Count an effect; an emptied group counts once, however many requests it takes."""
    if effect.state == "escrowed":
        evaluation.context.counts.escrow += 1
        return
    guards = tuple(each for each in effect.guards if each != "groupsEmptied")
    empties = guards != effect.guards and effect.stage is None
    add_effect(evaluation, replace(effect, guards=guards))
    if empties and not group.is_counted:
        evaluation.charges["groupsEmptied"] += 1
        group.is_counted = True


def _group_effects(
    evaluation: Evaluation,
    group: Group,
    changes: Sequence[MembershipChange],
    facts: BatchFacts,
) -> Iterator[Effect]:
    """Yield the effects of one group.

    Members about to be deleted leave first; only the budget of deletions counts them.
    The other memberships of a group about to be deleted are neither written nor
    counted.
    """
    present: list[MembershipChange] = []
    leaving: list[RetriedChange] = []
    due: list[RetriedChange] = []
    for change in changes:
        _, member, wanted = change
        previous = facts.previous_effects.get(build_membership_key(*change[:2]))
        if wanted and facts.linkable[member] in group.present_members:
            present.append(change)
        elif member in facts.deleted_members:
            leaving.append(_with_attempts(change, previous))
        elif group.is_deleted or (not wanted and group.adds_only):
            continue
        elif single := _build_single(evaluation, group, change, previous):
            yield single
        else:
            due.append(_with_attempts(change, previous))
    yield from _cut_into_requests(evaluation, group, due)
    for effect in _cut_into_requests(evaluation, group, leaving):
        yield replace(effect, phase=PHASE_LEAVER_MEMBERSHIPS, guards=())
    if present:
        # The target has these members, so the effect sends no request.
        effect = _build_chunk(group, present)
        yield replace(effect, add=(), present=effect.add)


async def evaluate_members(evaluation: Evaluation) -> None:
    """Put the membership changes of all groups into the outbox, and count them."""
    last: Group | None = None
    async for batch in _list_changes(evaluation):
        groups = await load_groups(evaluation, batch, last)
        facts = await load_batch_facts(evaluation, batch)
        effects: list[Effect] = []
        for guid, changes in groupby(batch, key=itemgetter(0)):
            if (group := groups.get(guid)) is None:
                continue
            last = group
            possible = [each for each in changes if each[1] in facts.linkable]
            of_group = list(_group_effects(evaluation, group, possible, facts))
            for effect in of_group:
                _count_effect(evaluation, group, effect)
            effects += of_group
        context = evaluation.context
        await context.store.save_effects(context.key_name, context.cycle_id, effects)
