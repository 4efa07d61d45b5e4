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
    PHASE_LEAVE,
    PHASE_REFERENCE,
    Effect,
    again,
    is_held,
    membership_key,
)
from cloudforest.model.ports.target import Refusal
from cloudforest.model.program import ObjectType
from cloudforest.model.source import Link
from cloudforest.provisioning.evaluation.references import deleted_now, ends_of
from cloudforest.provisioning.evaluation.state import Evaluation, add

Difference = tuple[str, str, bool]
"""A group, a member, and whether it is wanted."""


@dataclass
class Group:
    """The group whose memberships are under evaluation.

    `present` are the members, by resource id, that an adopted group was found with.
    `grows`: its rule only adds members. `deleted`: this cycle is to delete it.
    """

    id: str
    resource_type: str
    resource: str | None = None
    present: frozenset[str] = frozenset()
    emptied: bool = False
    chunks: int = 0
    tallied: bool = False
    grows: bool = False
    deleted: bool = False


@dataclass(frozen=True)
class Known:
    """What is known of a batch: elders by key, ends, and who is about to be deleted."""

    elders: Mapping[str, Effect] = field(default_factory=dict)
    ends: Mapping[str, str | None] = field(default_factory=dict)
    leaving: frozenset[str] = frozenset()


async def _present(
    evaluation: Evaluation, resource_type: str, resource: str
) -> frozenset[str]:
    try:
        return await evaluation.run.target.member_ids(resource_type, resource)
    except Refusal:
        # Adding a member that is there already is harmless, and tells us more.
        return frozenset()


async def _group(
    evaluation: Evaluation, id_: str, link: Link | None, adopted: str | None
) -> Group:
    """Return a group that has a resource, or will have one."""
    mapper = evaluation.mappers.get("group")
    rule = mapper.members if mapper else None
    grows = rule is not None and rule.flow_type == "MultiValueAddOnly"
    if link is not None:
        return Group(id_, link.resource_type, link.resource, grows=grows)
    kind = evaluation.mappers["group"].resource_type
    group = Group(id_, kind, adopted, grows=grows)
    if adopted is not None:
        group.present = await _present(evaluation, kind, adopted)
    return group


async def groups_of(
    evaluation: Evaluation, batch: Sequence[Difference], last: Group | None
) -> dict[str, Group]:
    """Return the groups of a batch that have, or will have, a resource.

    `last` is the one that the batch before ended with. It is not looked at again: that
    takes all its members, and with 50,000 of them it would be done in every batch.
    """
    run = evaluation.run
    groups = {last.id: last} if last is not None else {}
    ids = [id_ for id_ in dict.fromkeys(g for g, _, _ in batch) if id_ not in groups]
    if not ids:
        return groups
    links = await run.store.links(run.job.target, ids)
    adopted = await run.store.coming(run.rows, run.id, ids)
    there = [id_ for id_ in ids if id_ in links or id_ in adopted]
    emptied = await run.store.emptied_groups(run.jobs, run.id, there)
    deleted = await deleted_now(run, there)
    for id_ in there:
        group = await _group(evaluation, id_, links.get(id_), adopted.get(id_))
        group.emptied = id_ in emptied
        group.deleted = id_ in deleted
        groups[id_] = group
    return groups


async def known_of(evaluation: Evaluation, batch: Sequence[Difference]) -> Known:
    run = evaluation.run
    members = list(dict.fromkeys(member for _, member, _ in batch))
    keys = [membership_key(group, member) for group, member, _ in batch]
    lost = list(dict.fromkeys(member for _, member, wanted in batch if not wanted))
    return Known(
        elders=await run.store.effects(run.job.name, keys),
        ends=await ends_of(evaluation, members),
        leaving=await deleted_now(run, lost),
    )


BATCH = 1000

Tried = tuple[Difference, int, str]
"""With how often it was tried, and since when."""


def _types(evaluation: Evaluation) -> tuple[ObjectType, ...]:
    """Return the types whose memberships the job cares for."""
    return tuple(
        kind
        for kind, mapper in evaluation.mappers.items()
        if kind != "group" or mapper.members
    )


async def _differences(evaluation: Evaluation) -> AsyncIterator[list[Difference]]:
    run, types = evaluation.run, _types(evaluation)
    after = ("", "")
    while batch := await run.store.membership_changes(
        run.jobs, run.id, types, after, BATCH
    ):
        yield batch
        after = batch[-1][:2]


def _effect(group: Group, key: str, rows: Sequence[Difference]) -> Effect:
    remove = tuple(member for _, member, wanted in rows if not wanted)
    guards = ("memberRemovals", *["groupsEmptied"] * group.emptied)
    return Effect(
        key=membership_key(group.id, key),
        id=group.id,
        type="group",
        resource_type=group.resource_type,
        action="members",
        phase=PHASE_REFERENCE,
        anchor="",
        resource=group.resource,
        add=tuple(member for _, member, wanted in rows if wanted),
        remove=remove,
        guards=guards if remove else (),
    )


def _chunk(group: Group, rows: Sequence[Difference]) -> Effect:
    group.chunks += 1
    return _effect(group, f"{group.chunks:06}", rows)


def _cut(
    evaluation: Evaluation, group: Group, rows: Sequence[Tried]
) -> Iterator[Effect]:
    """Cut into requests; what is tried again goes apart from what is new."""
    size = evaluation.run.profile.max_members_per_request
    by_try = itemgetter(1, 2)
    for (attempts, since), some in groupby(sorted(rows, key=by_try), key=by_try):
        part = [row for row, _, _ in some]
        for at in range(0, len(part), size):
            effect = _chunk(group, part[at : at + size])
            tried = datetime.fromisoformat(since) if since else None
            yield replace(effect, attempts=attempts, since=tried)


def _tried(row: Difference, elder: Effect | None) -> Tried:
    if elder is None or elder.state != "escrowed" or bool(elder.add) is not row[2]:
        return row, 0, ""
    return row, elder.attempts, elder.since.isoformat() if elder.since else ""


def _single(
    evaluation: Evaluation, group: Group, row: Difference, elder: Effect | None
) -> Effect | None:
    """Return a membership that goes for itself: tried before, or decided upon."""
    if elder is None or bool(elder.add) is not row[2]:
        return None
    if is_held(elder, evaluation.now):
        return elder
    effect = again(_effect(group, row[1], [row]), elder)
    effect = evaluation.standing.of(effect, elder)
    is_new = effect.state == "pending" and effect.stage is None
    return None if is_new else effect


def _tally(evaluation: Evaluation, group: Group, effect: Effect) -> None:
    """Count an effect; a group is emptied once, in however many requests."""
    if effect.state == "escrowed":
        evaluation.run.counts.escrow += 1
        return
    others = tuple(each for each in effect.guards if each != "groupsEmptied")
    emptied = others != effect.guards and effect.stage is None
    add(evaluation, replace(effect, guards=others))
    if emptied and not group.tallied:
        evaluation.tally["groupsEmptied"] += 1
        group.tallied = True


def _effects(
    evaluation: Evaluation, group: Group, rows: Sequence[Difference], known: Known
) -> Iterator[Effect]:
    """Yield the effects of one group.

    Who is about to be deleted leaves first, and at the cost of that budget alone. All
    other memberships go with a group that is deleted: they are not written, or counted.
    """
    there: list[Difference] = []
    leaving: list[Tried] = []
    due: list[Tried] = []
    for row in rows:
        elder = known.elders.get(membership_key(*row[:2]))
        if row[2] and known.ends[row[1]] in group.present:
            there.append(row)
        elif row[1] in known.leaving:
            leaving.append(_tried(row, elder))
        elif group.deleted or (not row[2] and group.grows):
            continue
        elif single := _single(evaluation, group, row, elder):
            yield single
        else:
            due.append(_tried(row, elder))
    yield from _cut(evaluation, group, due)
    for effect in _cut(evaluation, group, leaving):
        yield replace(effect, phase=PHASE_LEAVE, guards=())
    if there:
        # They are there already, so it needs no request.
        effect = _chunk(group, there)
        yield replace(effect, add=(), present=effect.add)


async def evaluate_members(evaluation: Evaluation) -> None:
    """Put the membership changes of all groups into the outbox, and count them."""
    last: Group | None = None
    async for batch in _differences(evaluation):
        groups = await groups_of(evaluation, batch, last)
        known = await known_of(evaluation, batch)
        effects: list[Effect] = []
        for id_, rows in groupby(batch, key=itemgetter(0)):
            if (group := groups.get(id_)) is None:
                continue
            last = group
            possible = [row for row in rows if row[1] in known.ends]
            found = list(_effects(evaluation, group, possible, known))
            for effect in found:
                _tally(evaluation, group, effect)
            effects += found
        run = evaluation.run
        await run.store.save_effects(run.rows, run.id, effects)
