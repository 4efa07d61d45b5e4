"""Evaluates memberships: what the directory wants against what we wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from msgspec.structs import replace

from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import PHASE_LEAVE, PHASE_REFERENCE, Effect
from cloudforest.provisioning.escrow import again, is_held, membership_key
from cloudforest.provisioning.evaluating.evaluation import Evaluation, add
from cloudforest.provisioning.evaluating.relations.groups import (
    Difference,
    Group,
    Known,
    groups_of,
    known_of,
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
