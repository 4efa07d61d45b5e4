"""Evaluates memberships: what the directory wants against what we wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from msgspec.structs import replace

from cloudforest.model.outcomes import Refusal
from cloudforest.model.provisioning import PHASE_REFERENCE, Effect
from cloudforest.provisioning.escrow import is_held, membership_key
from cloudforest.provisioning.evaluating.evaluation import Evaluation, add_pending
from cloudforest.provisioning.evaluating.references import Ends, ends_of
from cloudforest.provisioning.mapper import Mapper

BATCH = 1000

Difference = tuple[str, str, bool]
"""A group, a member, and whether it is wanted."""


@dataclass
class Group:
    """The group whose memberships are under evaluation.

    `present` are the members, by resource id, that an adopted group was found with.
    """

    id: str
    resource: str | None = None
    present: frozenset[str] = frozenset()
    emptied: bool = False
    chunks: int = 0
    tallied: bool = False


async def _differences(evaluation: Evaluation) -> AsyncIterator[list[Difference]]:
    run = evaluation.run
    after = ("", "")
    while batch := await run.store.membership_changes(
        run.rows, run.job.target, after, BATCH
    ):
        yield batch
        after = batch[-1][:2]


async def _present(
    evaluation: Evaluation, mapper: Mapper, resource: str
) -> frozenset[str]:
    try:
        return await evaluation.run.target.member_ids(mapper.resource_type, resource)
    except Refusal:
        # Adding a member that is there already is harmless, and tells us more.
        return frozenset()


async def _groups(
    evaluation: Evaluation, mapper: Mapper, batch: list[Difference], last: Group | None
) -> dict[str, Group]:
    """Return the groups of a batch that have, or will have, a resource."""
    run = evaluation.run
    ids = list(dict.fromkeys(group for group, _, _ in batch))
    adopted = await run.store.coming(run.rows, run.id, ids)
    ends = await ends_of(evaluation, ids)
    emptied = await run.store.emptied_groups(run.rows, run.job.target, run.id, ids)
    groups: dict[str, Group] = {}
    for id_, resource in ends.items():
        group = Group(id_, resource, emptied=id_ in emptied)
        if last is not None and last.id == id_:
            group = last
        elif resource is not None and id_ in adopted:
            group.present = await _present(evaluation, mapper, resource)
        groups[id_] = group
    return groups


async def _singles(
    evaluation: Evaluation, batch: Sequence[Difference]
) -> dict[tuple[str, str], Effect]:
    """Return the memberships of a batch that are in escrow for what is still due."""
    keys = [membership_key(group, member) for group, member, _ in batch]
    prior = await evaluation.run.store.effects(evaluation.run.job.name, keys)
    found = zip(batch, keys, strict=True)
    return {
        row[:2]: elder
        for row, key in found
        if (elder := prior.get(key)) is not None
        and elder.state == "escrowed"
        and bool(elder.add) is row[2]
    }


def _effect(mapper: Mapper, group: Group, rows: Sequence[Difference]) -> Effect:
    remove = tuple(member for _, member, wanted in rows if not wanted)
    guards = ("memberRemovals", *["groupsEmptied"] * group.emptied)
    group.chunks += 1
    return Effect(
        key=membership_key(group.id, f"{group.chunks:06}"),
        id=group.id,
        type="group",
        resource_type=mapper.resource_type,
        action="members",
        phase=PHASE_REFERENCE,
        anchor="",
        resource=group.resource,
        add=tuple(member for _, member, wanted in rows if wanted),
        remove=remove,
        guards=guards if remove else (),
    )


def _chunks(
    evaluation: Evaluation,
    mapper: Mapper,
    group: Group,
    rows: Sequence[tuple[Difference, int]],
) -> Iterator[Effect]:
    """Cut into requests; what is tried again goes apart from what is new."""
    size = evaluation.run.profile.max_members_per_request
    for attempts, some in groupby(sorted(rows, key=itemgetter(1)), key=itemgetter(1)):
        part = [row for row, _ in some]
        for at in range(0, len(part), size):
            effect = _effect(mapper, group, part[at : at + size])
            yield replace(effect, attempts=attempts)


def _found(mapper: Mapper, group: Group, rows: Sequence[Difference]) -> list[Effect]:
    """Say which members the group was found to have; it needs no request."""
    if not rows:
        return []
    effect = _effect(mapper, group, rows)
    return [replace(effect, add=(), present=effect.add)]


def _add(evaluation: Evaluation, group: Group, effect: Effect) -> None:
    if effect.state == "escrowed":
        evaluation.run.counts.escrow += 1
        return
    add_pending(evaluation, replace(effect, guards=()))
    evaluation.tally["memberRemovals"] += len(effect.remove)
    if "groupsEmptied" in effect.guards and not group.tallied:
        evaluation.tally["groupsEmptied"] += 1
        group.tallied = True


def _group_effects(
    evaluation: Evaluation,
    mapper: Mapper,
    group: Group,
    rows: Sequence[Difference],
    *,
    ends: Ends,
    singles: Mapping[tuple[str, str], Effect],
) -> list[Effect]:
    there = [row for row in rows if row[2] and ends[row[1]] in group.present]
    held: list[Effect] = []
    due: list[tuple[Difference, int]] = []
    for row in sorted(set(rows).difference(there)):
        elder = singles.get(row[:2])
        if elder is not None and is_held(elder, evaluation.now):
            held.append(elder)
        else:
            due.append((row, elder.attempts if elder else 0))
    effects = [
        *held,
        *_chunks(evaluation, mapper, group, due),
        *_found(mapper, group, there),
    ]
    for effect in effects:
        _add(evaluation, group, effect)
    return effects


async def evaluate_members(evaluation: Evaluation) -> None:
    """Put the membership changes of all groups into the outbox, and count them."""
    mapper = evaluation.mappers.get("group")
    if mapper is None or not mapper.members:
        return
    last: Group | None = None
    async for batch in _differences(evaluation):
        groups = await _groups(evaluation, mapper, batch, last)
        ends = await ends_of(evaluation, [member for _, member, _ in batch])
        singles = await _singles(evaluation, batch)
        effects: list[Effect] = []
        for id_, rows in groupby(batch, key=itemgetter(0)):
            if (group := groups.get(id_)) is None:
                continue
            last = group
            possible = [row for row in rows if row[1] in ends]
            effects += _group_effects(
                evaluation, mapper, group, possible, ends=ends, singles=singles
            )
        await evaluation.run.store.save_effects(
            evaluation.run.rows, evaluation.run.id, effects
        )
