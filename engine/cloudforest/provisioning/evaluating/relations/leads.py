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


async def _led(run: Run, references: Sequence[Effect]) -> frozenset[str]:
    """Return those of whom they name that lead."""
    named = [change.to for each in references for change in each.references]
    effects = await run.store.effects(run.rows, [to for to in named if to])
    return frozenset(
        id_
        for id_, each in effects.items()
        if (each.state, each.phase) == ("pending", PHASE_LEAD)
    )


async def bring_along(evaluation: Evaluation) -> None:
    """Give creations the references that name nobody but those who lead.

    Leads themselves are not among them: nobody knows which of two comes first.
    """
    run, after = evaluation.run, ""
    while batch := await run.store.pending(
        run.rows, run.id, PHASE_REFERENCE, after=after, limit=BATCH
    ):
        after = batch[-1].key
        leads = await _led(run, batch)
        possible = {
            each.id: each.references
            for each in batch
            if all(change.to in leads for change in each.references)
        }
        mains = await run.store.effects(run.rows, list(possible))
        whole = [
            replace(each, references=possible[each.id])
            for each in mains.values()
            if is_creation(each)
            and (each.state, each.phase) == ("pending", PHASE_WRITE)
        ]
        await run.store.save_effects(run.rows, run.id, whole)
        evaluation.requests -= len(whole)
