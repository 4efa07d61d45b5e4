"""Explains what becomes of an object that is out of scope or gone."""

from __future__ import annotations

from cloudforest.model.messages import Gone, OutOfScope
from cloudforest.model.provisioning import Link, Presence, SourceRow
from cloudforest.provisioning.evaluating.lost import deprovision, held_elsewhere
from cloudforest.provisioning.explaining.acting import acted, as_it_stands
from cloudforest.provisioning.explaining.matching import linked
from cloudforest.provisioning.explaining.step import Step, Steps
from cloudforest.provisioning.logbook import BECAUSE
from cloudforest.provisioning.mapper import mappers
from cloudforest.provisioning.run import Run

NEVER = "The job has written no resource for it, so there is nothing to take away."
UNMAPPED = "The job maps no {} any more, so what it wrote is left in place."
ELSEWHERE = "Another job of this target holds the object; it is that job's to keep."
LEFT = "The mapping keeps the resource, or its access was taken away already."
HIDDEN = (
    "It may be in scope: what decides ({}) was seen before and is not shown now. That "
    "proves nothing, so it is left as it was."
)
NOT_SAID = "leaves scope"
LEAVES = "leaves scope: {}"


def _clause(record: OutOfScope) -> str | None:
    """Return what keeps it out: of a filter, the operand."""
    failing = [each.text for each in record.clauses if not each.holds]
    operand = next((each for each in failing if " clause " in each), None)
    if operand is not None and (record.clause or "").startswith("filters."):
        return operand
    return record.clause


def why_out(record: OutOfScope) -> str:
    clause = _clause(record)
    return LEAVES.format(clause) if clause else NOT_SAID


def _nothing(because: str) -> Step:
    return Step("nothing", {"because": because})


async def _is_hidden(run: Run, record: OutOfScope | Gone) -> bool:
    """Tell whether the object is out for want of what we saw before (promise 2)."""
    row = await run.store.source(run.rows, record.id)
    return (
        isinstance(record, OutOfScope)
        and row is not None
        and not set(record.rests_on).isdisjoint(row.seen)
    )


def _row(record: OutOfScope | Gone, link: Link) -> SourceRow:
    presence: Presence = "gone" if isinstance(record, Gone) else "out"
    return SourceRow(
        id=record.id,
        type=link.type,
        dn="",
        parent=None,
        anchor=link.anchor,
        attributes={},
        state=presence,
    )


async def _act(run: Run, record: OutOfScope | Gone, link: Link) -> Step:
    mapper = mappers(run.program).get(link.type)
    if mapper is None:
        return _nothing(UNMAPPED.format(link.type))
    if isinstance(record, OutOfScope) and await _is_hidden(run, record):
        return _nothing(HIDDEN.format(", ".join(record.rests_on)))
    if await held_elsewhere(run, [record.id]):
        return _nothing(ELSEWHERE)
    effect = deprovision(_row(record, link), mapper, link)
    if effect is None:
        return _nothing(LEFT)
    prior = (await run.store.effects(run.rows, [record.id])).get(record.id)
    step = await acted(run, [as_it_stands(effect, prior)], group=None, members=())
    because = step.detail["because"] or _because(record)
    return Step(step.result, step.detail | {"because": because})


def _because(record: OutOfScope | Gone) -> str:
    return why_out(record) if isinstance(record, OutOfScope) else BECAUSE["gone"]


async def leaving(run: Run, record: OutOfScope | Gone) -> Steps:
    link = (await run.store.links(run.job.target, [record.id])).get(record.id)
    if link is None:
        return {"act": _nothing(NEVER)}
    return {"match": linked(link), "act": await _act(run, record, link)}
