"""Unique values for the objects of a batch that are to be created."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace as altered

from cloudforest.provisioning.evaluating.evaluation import Evaluation
from cloudforest.provisioning.evaluating.item import Item
from cloudforest.provisioning.matching import Match
from cloudforest.provisioning.uniqueness import Choosing, Chosen, choose


def needs_choice(item: Item, match: Match) -> bool:
    """Tell whether the object is to be created, with a value of its own."""
    new = item.link is None and item.matched is None and match is None
    return new and bool(item.desired.candidates)


async def with_choices(
    evaluation: Evaluation, items: Sequence[Item], matches: Mapping[str, Match]
) -> list[Item]:
    """Choose the unique values of those who are to be created."""
    chosen: Chosen = {}
    for mapper in evaluation.mappers.values():
        waiting = [
            Choosing(id=item.row.id, candidates=item.desired.candidates)
            for item in items
            if item.mapper is mapper and needs_choice(item, matches.get(item.row.id))
        ]
        if waiting:
            chosen |= await choose(evaluation.matcher, mapper, waiting)
    return [
        altered(each, chosen=chosen[each.row.id]) if each.row.id in chosen else each
        for each in items
    ]
