"""The groups whose memberships are evaluated, and what is known of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloudforest.model.outcomes import Refusal
from cloudforest.model.provisioning import Effect, Link
from cloudforest.provisioning.escrow import membership_key
from cloudforest.provisioning.evaluating.evaluation import Evaluation
from cloudforest.provisioning.evaluating.relations.pending import deleted_now, ends_of

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
