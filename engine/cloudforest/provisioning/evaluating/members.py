"""Evaluates memberships: what the directory wants against what we wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from msgspec.structs import replace

from cloudforest.model.outcomes import Refusal
from cloudforest.model.provisioning import PHASE_REFERENCE, Effect
from cloudforest.provisioning.escrow import is_held
from cloudforest.provisioning.evaluating.evaluation import Evaluation, add_pending
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
    effect: Effect | None = None
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


async def _resources(evaluation: Evaluation, ids: Sequence[str]) -> dict[str, str]:
    """Return the resources that objects have, or are to have by a match."""
    run = evaluation.run
    linked = await run.store.resource_ids(run.job.target, ids)
    missing = [each for each in ids if each not in linked]
    effects = await run.store.effects(run.rows, missing)
    matched = {key: e.resource for key, e in effects.items() if e.resource}
    return linked | matched


async def _present(evaluation: Evaluation, mapper: Mapper, group: Group) -> None:
    """Read the members of a group that this cycle adopts, once."""
    if group.effect is None or group.effect.resource is None:
        return
    try:
        group.present = await evaluation.run.target.member_ids(
            mapper.resource_type, group.effect.resource
        )
    except Refusal:
        # Adding a member that is there already is harmless, and tells us more.
        group.present = frozenset()


async def _without_present(
    evaluation: Evaluation, group: Group, members: Sequence[str]
) -> list[str]:
    """Leave out, and remember as written, the members that the target has already."""
    if not group.present:
        return list(members)
    resources = await _resources(evaluation, members)
    there = [each for each in members if resources.get(each) in group.present]
    await evaluation.run.store.save_present(evaluation.run.rows, group.id, there)
    return [each for each in members if each not in set(there)]


def _chunks(
    evaluation: Evaluation, mapper: Mapper, group: Group, differing: list[Difference]
) -> Iterable[Effect]:
    size = evaluation.run.profile.max_members_per_request
    for at in range(0, len(differing), size):
        part = differing[at : at + size]
        remove = tuple(member for _, member, wanted in part if not wanted)
        guards = ("memberRemovals", *["groupsEmptied"] * group.emptied)
        yield Effect(
            key=f"{group.id}/m/{group.chunks:06}",
            id=group.id,
            type="group",
            resource_type=mapper.resource_type,
            action="members",
            phase=PHASE_REFERENCE,
            anchor="",
            resource=group.resource,
            add=tuple(member for _, member, wanted in part if wanted),
            remove=remove,
            guards=guards if remove else (),
        )
        group.chunks += 1


async def _with_escrow(
    evaluation: Evaluation, effects: Sequence[Effect]
) -> list[Effect]:
    """Hold back what is in escrow and not due; carry on its attempts."""
    job = evaluation.run.job.name
    prior = await evaluation.run.store.effects(job, [each.key for each in effects])
    settled: list[Effect] = []
    for effect in effects:
        elder = prior.get(effect.key)
        if elder is None or elder.state != "escrowed":
            settled.append(effect)
        elif is_held(elder, evaluation.now):
            settled.append(elder)
        else:
            settled.append(replace(effect, attempts=elder.attempts))
    return settled


def _add(evaluation: Evaluation, group: Group, effect: Effect) -> None:
    if effect.state == "escrowed":
        evaluation.run.counts.escrow += 1
        return
    add_pending(evaluation, replace(effect, guards=()))
    evaluation.tally["memberRemovals"] += len(effect.remove)
    if "groupsEmptied" in effect.guards and not group.tallied:
        evaluation.tally["groupsEmptied"] += 1
        group.tallied = True


async def _groups(
    evaluation: Evaluation, mapper: Mapper, batch: list[Difference], last: Group | None
) -> dict[str, Group]:
    """Return the groups of a batch that have, or will have, a resource."""
    run = evaluation.run
    ids = list(dict.fromkeys(group for group, _, _ in batch))
    linked = await run.store.resource_ids(run.job.target, ids)
    effects = await run.store.effects(run.rows, ids)
    emptied = await run.store.emptied_groups(run.rows, ids)
    groups: dict[str, Group] = {}
    for id_ in ids:
        effect = effects.get(id_)
        pending = effect is not None and effect.state == "pending"
        if last is not None and last.id == id_:
            groups[id_] = last
        elif id_ in linked or pending:
            unlinked = effect if id_ not in linked else None
            groups[id_] = Group(id_, linked.get(id_), unlinked, emptied=id_ in emptied)
            await _present(evaluation, mapper, groups[id_])
    return groups


async def _evaluate_group(
    evaluation: Evaluation, mapper: Mapper, group: Group, rows: list[Difference]
) -> list[Effect]:
    wanted = [member for _, member, wanted in rows if wanted]
    absent = set(await _without_present(evaluation, group, wanted))
    left = [row for row in rows if not row[2] or row[1] in absent]
    chunks = list(_chunks(evaluation, mapper, group, left))
    effects = await _with_escrow(evaluation, chunks)
    for effect in effects:
        _add(evaluation, group, effect)
    return effects


async def evaluate_members(evaluation: Evaluation) -> None:
    """Put the membership changes of all groups into the outbox, and count them."""
    mapper = evaluation.mappers.get("group")
    if mapper is None or not mapper.members:
        return
    run = evaluation.run
    last: Group | None = None
    async for batch in _differences(evaluation):
        groups = await _groups(evaluation, mapper, batch, last)
        effects: list[Effect] = []
        for id_, rows in groupby(batch, key=lambda each: each[0]):
            group = groups.get(id_)
            if group is None:
                continue
            last = group
            effects += await _evaluate_group(evaluation, mapper, group, list(rows))
        await run.store.save_effects(run.rows, run.id, effects)
