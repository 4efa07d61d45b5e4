"""After a restart that doubts links: what the target really holds under their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cloudforest.model.outcomes import NotThere, Refusal
from cloudforest.model.provisioning import Link, SourceRow, TargetResource
from cloudforest.provisioning.evaluating.evaluation import Evaluation
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Matcher

ID = "id"


@dataclass
class Looked:
    """What became of the doubted links of a batch, by objectGUID.

    What the target does not say is in neither: its link is believed for now.
    """

    found: dict[str, TargetResource] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)


async def _keep_members(evaluation: Evaluation, mapper: Mapper, link: Link) -> None:
    """Count no longer as written what the group does not have.

    A target that does not say leaves it as it was: we would never remove anybody.
    """
    run = evaluation.run
    try:
        present = await run.target.member_ids(mapper.resource_type, link.resource)
    except NotThere:
        present = frozenset()
    except Refusal:
        return
    await run.store.keep_written(run.job.target, link.id, present)


async def look(
    matcher: Matcher, mapper: Mapper, doubted: Mapping[str, Link], looked: Looked
) -> None:
    """Look in the picture; ask by id for what it lacks: a list may hide the disabled.

    To take such a one for gone would make it twice. Links are by resource id.
    """
    held = await matcher.held(mapper, list(doubted))
    looked.found |= {doubted[id_].id: resource for id_, resource in held.items()}
    for id_ in doubted.keys() - held.keys():
        try:
            found = await matcher.run.target.find(
                mapper.resource_type, ID, id_, mapper.compared
            )
        except Refusal:
            continue
        if found:
            looked.found[doubted[id_].id] = found[0]
        else:
            looked.gone.add(doubted[id_].id)


async def look_again(
    evaluation: Evaluation, rows: Sequence[SourceRow], links: Mapping[str, Link]
) -> Looked:
    """Return the resources of the doubted links, as the target holds them now."""
    looked = Looked()
    for kind, mapper in evaluation.mappers.items():
        its = [links[row.id] for row in rows if row.type == kind and row.id in links]
        doubted = {each.resource: each for each in its if not each.checked}
        if doubted:
            await look(evaluation.matcher, mapper, doubted, looked)
        for link in doubted.values() if mapper.members else ():
            await _keep_members(evaluation, mapper, link)
    return looked
