"""Evaluates memberships: what the directory wants against what we wrote.

The groups whose memberships are evaluated, and what is known of a batch.
"""

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

MembershipChange = tuple[str, str, bool]
"""A group, a member, and whether it is wanted."""


@dataclass
class Group:
    """The group whose memberships are under evaluation.

    `present` are the members, by resource id, that an adopted group was found with.
    `grows`: its rule only adds members. `deleted`: this cycle is to delete it.
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
    """What is known of a batch: elders by key, ends, and who is about to be deleted."""

    previous_effects: Mapping[str, Effect] = field(default_factory=dict)
    linkable: Mapping[str, str | None] = field(default_factory=dict)
    deleted_members: frozenset[str] = frozenset()


async def _list_present_members(
    evaluation: Evaluation, resource_type: str, resource: str
) -> frozenset[str]:
    try:
        return await evaluation.context.target.list_member_ids(resource_type, resource)
    except Refusal:
        # Adding a member that is there already is harmless, and tells us more.
        return frozenset()


async def _load_group(
    evaluation: Evaluation, id_: str, link: Link | None, adopted_resource: str | None
) -> Group:
    """Return a group that has a resource, or will have one."""
    mapper = evaluation.mappers.get("group")
    rule = mapper.members_mapping if mapper else None
    grows = rule is not None and rule.flow_type == "MultiValueAddOnly"
    if link is not None:
        return Group(id_, link.resource_type, link.resource, adds_only=grows)
    kind = evaluation.mappers["group"].resource_type
    group = Group(id_, kind, adopted_resource, adds_only=grows)
    if adopted_resource is not None:
        group.present_members = await _list_present_members(
            evaluation, kind, adopted_resource
        )
    return group


async def load_groups(
    evaluation: Evaluation, batch: Sequence[MembershipChange], last: Group | None
) -> dict[str, Group]:
    """Return the groups of a batch that have, or will have, a resource.

    `last` is the one that the batch before ended with. It is not looked at again: that
    takes all its members, and with 50,000 of them it would be done in every batch.
    """
    context = evaluation.context
    groups = {last.object_guid: last} if last is not None else {}
    ids = [id_ for id_ in dict.fromkeys(g for g, _, _ in batch) if id_ not in groups]
    if not ids:
        return groups
    links = await context.store.load_links(context.job.target, ids)
    adopted = await context.store.find_pending_writes(
        context.key_name, context.cycle_id, ids
    )
    there = [id_ for id_ in ids if id_ in links or id_ in adopted]
    emptied = await context.store.find_emptied_groups(
        context.key, context.cycle_id, there
    )
    deleted = await find_pending_deletions(context, there)
    for id_ in there:
        group = await _load_group(evaluation, id_, links.get(id_), adopted.get(id_))
        group.is_emptied = id_ in emptied
        group.is_deleted = id_ in deleted
        groups[id_] = group
    return groups


async def load_batch_facts(
    evaluation: Evaluation, batch: Sequence[MembershipChange]
) -> BatchFacts:
    context = evaluation.context
    members = list(dict.fromkeys(member for _, member, _ in batch))
    keys = [build_membership_key(group, member) for group, member, _ in batch]
    lost = list(dict.fromkeys(member for _, member, wanted in batch if not wanted))
    return BatchFacts(
        previous_effects=await context.store.load_effects(context.live_key, keys),
        linkable=await load_linkable(evaluation, members),
        deleted_members=await find_pending_deletions(context, lost),
    )


BATCH = 1000

RetriedChange = tuple[MembershipChange, int, str]
"""With how often it was tried, and since when."""


def _member_types(evaluation: Evaluation) -> tuple[ObjectType, ...]:
    """Return the types whose memberships the job cares for."""
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
    """Cut into requests; what is tried again goes apart from what is new."""
    size = evaluation.context.profile.max_members_per_request
    by_try = itemgetter(1, 2)
    for (attempts, since), some in groupby(sorted(changes, key=by_try), key=by_try):
        part = [row for row, _, _ in some]
        for at in range(0, len(part), size):
            effect = _build_chunk(group, part[at : at + size])
            tried = datetime.fromisoformat(since) if since else None
            yield replace(effect, attempts=attempts, since=tried)


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
    """Return a membership that goes for itself: tried before, or decided upon."""
    if previous is None or bool(previous.add) is not change[2]:
        return None
    if previous.is_held(evaluation.now):
        return previous
    effect = _build_effect(group, change[1], [change]).retried_as(previous)
    effect = evaluation.stage_decisions.apply_to(effect, previous)
    is_new = effect.state == "pending" and effect.stage is None
    return None if is_new else effect


def _count_effect(evaluation: Evaluation, group: Group, effect: Effect) -> None:
    """Count an effect; a group is emptied once, in however many requests."""
    if effect.state == "escrowed":
        evaluation.context.counts.escrow += 1
        return
    others = tuple(each for each in effect.guards if each != "groupsEmptied")
    emptied = others != effect.guards and effect.stage is None
    add_effect(evaluation, replace(effect, guards=others))
    if emptied and not group.is_counted:
        evaluation.charges["groupsEmptied"] += 1
        group.is_counted = True


def _group_effects(
    evaluation: Evaluation,
    group: Group,
    changes: Sequence[MembershipChange],
    facts: BatchFacts,
) -> Iterator[Effect]:
    """Yield the effects of one group.

    Who is about to be deleted leaves first, and at the cost of that budget alone. All
    other memberships go with a group that is deleted: they are not written, or counted.
    """
    there: list[MembershipChange] = []
    leaving: list[RetriedChange] = []
    due: list[RetriedChange] = []
    for change in changes:
        elder = facts.previous_effects.get(build_membership_key(*change[:2]))
        if change[2] and facts.linkable[change[1]] in group.present_members:
            there.append(change)
        elif change[1] in facts.deleted_members:
            leaving.append(_with_attempts(change, elder))
        elif group.is_deleted or (not change[2] and group.adds_only):
            continue
        elif single := _build_single(evaluation, group, change, elder):
            yield single
        else:
            due.append(_with_attempts(change, elder))
    yield from _cut_into_requests(evaluation, group, due)
    for effect in _cut_into_requests(evaluation, group, leaving):
        yield replace(effect, phase=PHASE_LEAVER_MEMBERSHIPS, guards=())
    if there:
        # They are there already, so it needs no request.
        effect = _build_chunk(group, there)
        yield replace(effect, add=(), present=effect.add)


async def evaluate_members(evaluation: Evaluation) -> None:
    """Put the membership changes of all groups into the outbox, and count them."""
    last: Group | None = None
    async for batch in _list_changes(evaluation):
        groups = await load_groups(evaluation, batch, last)
        known = await load_batch_facts(evaluation, batch)
        effects: list[Effect] = []
        for id_, changes in groupby(batch, key=itemgetter(0)):
            if (group := groups.get(id_)) is None:
                continue
            last = group
            possible = [row for row in changes if row[1] in known.linkable]
            found = list(_group_effects(evaluation, group, possible, known))
            for effect in found:
                _count_effect(evaluation, group, effect)
            effects += found
        context = evaluation.context
        await context.store.save_effects(context.key_name, context.cycle_id, effects)
