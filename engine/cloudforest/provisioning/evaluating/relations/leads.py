"""Creates first those whom other creations refer to: one write instead of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from cloudforest.model.provisioning import (
    PHASE_LEAD,
    PHASE_REFERENCE,
    PHASE_WRITE,
    Effect,
)
from cloudforest.provisioning.evaluating.evaluation import Evaluation, is_creation
from cloudforest.provisioning.run import Run

BATCH = 500


async def lead(
    run: Run, references: Sequence[Effect], ends: Mapping[str, str | None]
) -> bool:
    """Let those lead who are yet to be created; False: there is nobody to create."""
    named = [
        change.to
        for each in references
        for change in each.references
        if each.action == "reference" and change.to and ends.get(change.to, "") is None
    ]
    effects = await run.store.effects(run.rows, named) if named else {}
    leads = [
        replace(each, phase=PHASE_LEAD)
        for each in effects.values()
        if is_creation(each) and each.phase == PHASE_WRITE
    ]
    await run.store.save_effects(run.rows, run.id, leads)
    return bool(named)


async def count_whole(evaluation: Evaluation) -> None:
    """Count one request for a creation that names nobody but those who lead.

    Leads themselves need two: nobody knows which of two comes first.
    """
    run, after = evaluation.run, ""
    while batch := await run.store.pending(
        run.rows, run.id, PHASE_REFERENCE, after=after, limit=BATCH
    ):
        after = batch[-1].key
        named = {
            each.id: {change.to for change in each.references if change.to}
            for each in batch
            if each.action == "reference"
        }
        ids = [*named, *set().union(*named.values())]
        phases = await run.store.creations(run.rows, run.id, ids)
        leads = {id_ for id_, phase in phases.items() if phase == PHASE_LEAD}
        evaluation.requests -= sum(
            phases.get(id_) == PHASE_WRITE and others <= leads
            for id_, others in named.items()
        )
