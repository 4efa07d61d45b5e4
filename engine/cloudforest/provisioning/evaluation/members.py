"""Evaluates memberships: compares those in the directory with those that we wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from cloudforest.provisioning.evaluation.references import (
    find_pending_deletions,
    load_linkable,
)
from cloudforest.provisioning.evaluation.state import Evaluation
from cloudforest.provisioning.matching import list_present_members
from cloudforest.provisioning.run import CycleContext, read_pages

BATCH = 1000

MembershipChange = tuple[str, str, bool]
"""A group, a member, and whether the membership is wanted."""


@dataclass
class Group:
    """A group whose memberships are evaluated.

    `present_members` are the resource ids of the members of a group that this cycle
    adopts. `is_counted`: it is already charged to `groupsEmptied`.
    """

    object_guid: str
    resource_type: str
    resource: str | None
    present_members: frozenset[str]
    adds_only: bool
    is_emptied: bool
    is_deleted: bool
    chunks: int = 0
    is_counted: bool = False


@dataclass(frozen=True)
class BatchFacts:
    """The facts about a batch: previous effects by key, and the state of its members.

    `linkable` are the members that have or will have a resource.
    """

    previous_effects: Mapping[str, Effect]
    linkable: Mapping[str, str | None]
    deleted_members: frozenset[str]

    def find_previous(self, change: MembershipChange) -> Effect | None:
        """Return the previous effect if it is the same change of the membership."""
        group, member, wanted = change
        previous = self.previous_effects.get(build_membership_key(group, member))
        return previous if previous and bool(previous.add) is wanted else None


async def _load_groups(
    evaluation: Evaluation, batch: Sequence[MembershipChange], last: Group | None
) -> dict[str, Group]:
    """Return the groups of a batch that have, or will have, a resource.

    `last` is the last group of the previous batch. It is not loaded again: this reads
    all its members, and a group of 50,000 members fills many batches.
    """
    context = evaluation.context
    groups = {last.object_guid: last} if last is not None else {}
    named = dict.fromkeys(group for group, _, _ in batch)
    guids = [each for each in named if each not in groups]
    if not guids:
        return groups
    links = await context.load_links(guids)
    adopted = await context.store.find_pending_writes(
        context.key_name, context.cycle_id, guids
    )
    linkable = [guid for guid in guids if guid in links or guid in adopted]
    emptied = await context.store.find_emptied_groups(
        context.key, context.cycle_id, linkable
    )
    deleted = await find_pending_deletions(context, linkable)
    mapper = evaluation.mappers.get("group")
    rule = mapper.members_mapping if mapper else None
    for guid in linkable:
        link, present = links.get(guid), None
        resource = link.resource if link else adopted[guid]
        resource_type = (link or evaluation.mappers["group"]).resource_type
        if link is None and resource is not None:
            # If the target refuses: to add a member twice is harmless.
            present = await list_present_members(context, resource_type, resource)
        groups[guid] = Group(
            guid,
            resource_type,
            resource,
            present or frozenset(),
            adds_only=rule is not None and rule.flow_type == "MultiValueAddOnly",
            is_emptied=guid in emptied,
            is_deleted=guid in deleted,
        )
    return groups


async def _load_batch_facts(
    context: CycleContext, batch: Sequence[MembershipChange]
) -> BatchFacts:
    members = list(dict.fromkeys(member for _, member, _ in batch))
    keys = [build_membership_key(group, member) for group, member, _ in batch]
    removed = list(dict.fromkeys(member for _, member, wanted in batch if not wanted))
    return BatchFacts(
        previous_effects=await context.store.load_effects(context.live_read_key, keys),
        linkable=await load_linkable(context, members),
        deleted_members=await find_pending_deletions(context, removed),
    )


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
    evaluation: Evaluation,
    group: Group,
    changes: Sequence[MembershipChange],
    facts: BatchFacts,
) -> Iterator[Effect]:
    """Cut changes into requests; retried changes do not share one with new changes."""
    size = evaluation.context.profile.max_members_per_request
    by_failures: dict[tuple[int, datetime | None], list[MembershipChange]] = {}
    for change in changes:
        previous = facts.find_previous(change)
        if previous is not None and previous.state != "escrowed":
            previous = None
        failures = (previous.attempts, previous.since) if previous else (0, None)
        by_failures.setdefault(failures, []).append(change)
    for failures in sorted(by_failures, key=lambda each: (each[0], str(each[1]))):
        attempts, since = failures
        same = by_failures[failures]
        for at in range(0, len(same), size):
            effect = _build_chunk(group, same[at : at + size])
            yield replace(effect, attempts=attempts, since=since)


def _build_single(
    evaluation: Evaluation, group: Group, change: MembershipChange, facts: BatchFacts
) -> Effect | None:
    """Return the effect of a single membership, if it was tried or decided before."""
    previous = facts.find_previous(change)
    if previous is None:
        return None
    if previous.is_held(evaluation.now):
        return previous
    effect = _build_effect(group, change[1], [change]).retried_as(previous)
    effect = evaluation.apply_stage_decision(effect, previous)
    is_new = effect.state == "pending" and effect.stage is None
    return None if is_new else effect


def _count_effect(evaluation: Evaluation, group: Group, effect: Effect) -> None:
    """Count an effect; an emptied group counts once, however many requests it takes."""
    if effect.state == "escrowed":
        evaluation.context.counts.escrow += 1
        return
    guards = tuple(each for each in effect.guards if each != "groupsEmptied")
    empties = guards != effect.guards and effect.stage is None
    evaluation.add_effect(replace(effect, guards=guards))
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
    leaving: list[MembershipChange] = []
    due: list[MembershipChange] = []
    for change in changes:
        _, member, wanted = change
        if wanted and facts.linkable[member] in group.present_members:
            present.append(change)
        elif member in facts.deleted_members:
            leaving.append(change)
        elif group.is_deleted or (not wanted and group.adds_only):
            continue
        elif single := _build_single(evaluation, group, change, facts):
            yield single
        else:
            due.append(change)
    yield from _cut_into_requests(evaluation, group, due, facts)
    for effect in _cut_into_requests(evaluation, group, leaving, facts):
        yield replace(effect, phase=PHASE_LEAVER_MEMBERSHIPS, guards=())
    if present:
        # The target has these members, so the effect sends no request.
        effect = _build_chunk(group, present)
        yield replace(effect, add=(), present=effect.add)


async def evaluate_members(evaluation: Evaluation) -> None:
    """Put the membership changes of all groups into the outbox, and count them."""
    context = evaluation.context
    # The types of objects whose memberships the job writes.
    types = tuple(
        kind
        for kind, mapper in evaluation.mappers.items()
        if kind != "group" or mapper.members_mapping
    )
    last: Group | None = None
    async for batch in read_pages(
        lambda after: context.store.list_membership_changes(
            context.key, context.cycle_id, types, after, BATCH
        ),
        key_of=lambda change: change[:2],
        first=("", ""),
    ):
        groups = await _load_groups(evaluation, batch, last)
        facts = await _load_batch_facts(context, batch)
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
        await context.store.save_effects(context.key_name, context.cycle_id, effects)
