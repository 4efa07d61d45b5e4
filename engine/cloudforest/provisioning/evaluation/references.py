"""From objects to the writes of their references: after both ends exist.

Creates first those whom other creations refer to: one write instead of two.

Settles which pending references can be written, when all objects are evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from cloudforest.model.cycles import count
from cloudforest.model.effects import (
    PHASE_LEAD,
    PHASE_REFERENCE,
    PHASE_WRITE,
    Change,
    Effect,
    ReferenceChange,
    is_creation,
    sends,
)
from cloudforest.model.program import Rule
from cloudforest.model.source import Flat, Presence
from cloudforest.provisioning.differences import Item, identifier
from cloudforest.provisioning.evaluation.state import Evaluation
from cloudforest.provisioning.run import Run

ADD_ONLY = frozenset({"ValueAddOnly", "AttributeAddOnly", "MultiValueAddOnly"})
"""Flow types that leave alone a reference that is there."""


@dataclass(frozen=True)
class Ends:
    """The objects that references may name.

    `resources` has the resource ids that there are, `presences` what the jobs of the
    target say of those that they have rows of.
    """

    resources: Mapping[str, str | None] = field(default_factory=dict)
    presences: Mapping[str, Presence] = field(default_factory=dict)

    def named(self, guids: Sequence[str]) -> str | None:
        return next((each for each in guids if each in self.resources), None)


async def known_ends(run: Run, named: Sequence[str]) -> Ends:
    """Return the objects that a reference may name before all are evaluated."""
    if not named:
        return Ends()
    known = await run.store.known(run.rows, run.job.target, named)
    resources = await run.store.resource_ids(run.job.target, named)
    presences = await run.store.presences(run.jobs.all, named)
    return Ends({guid: resources.get(guid) for guid in known}, presences)


def _cleared(
    rule: Rule, current: str | None, *, unless: str | None = None
) -> ReferenceChange | None:
    if current is None or rule.when_null == "keep":
        return None
    return ReferenceChange(path=rule.target, to=None, before=current, unless=unless)


def _missing(rule: Rule, current: str | None, guid: str) -> ReferenceChange | None:
    """Name who has no resource by the objectGUID: all that is known of everybody."""
    if current == guid:
        return None
    return ReferenceChange(path=rule.target, to=guid, before=current, missing=True)


def _change(
    item: Item, rule: Rule, current: str | None, ends: Ends
) -> ReferenceChange | None:
    """Compare one reference with what the target holds.

    A directory drops a reference to a deleted object without a word. One to an object
    out of scope stays for as long as that has a resource.
    """
    if current is not None and rule.flow_type in ADD_ONLY:
        return None
    named = item.desired.references.get(rule.target, ())
    guids = [each for each in named if ends.presences.get(each) != "gone"]
    if not guids:
        return _cleared(rule, current)
    to = ends.named(guids)
    if to is None and rule.export_missing_references:
        return _missing(rule, current, guids[0])
    left = next((each for each in guids if ends.presences.get(each) == "out"), None)
    if left is not None and to in {left, None}:
        deleted = item.mapper.program.deprovision.out_of_scope == "delete"
        if to is None or (deleted and ends.resources[to] == current):
            return _cleared(rule, current, unless=left)
    if to is None or (current is not None and ends.resources[to] == current):
        return None
    return ReferenceChange(path=rule.target, to=to, before=current)


def _current(item: Item, main: Effect | None) -> Flat:
    """Return what we last wrote, or what an adoption found or a creation will write."""
    if item.link is not None and item.matched is None:
        return item.link.written
    return {each.path: each.after for each in main.changes} if main else {}


def _is_known(item: Item, path: str, ends: Ends) -> bool:
    guids = item.desired.references.get(path, ())
    return not guids or ends.named(guids) is not None


def _still_cleared(
    prior: Effect | None, rule: Rule, current: str | None
) -> ReferenceChange | None:
    """Go on clearing what was to be cleared, when who it named is forgotten by now."""
    elder = ReferenceChange(path=rule.target, to=None, before=current)
    dropped = prior.references if prior and current is not None else ()
    found = any(replace(each, unless=None) == elder for each in dropped)
    return elder if found else None


def reference(
    item: Item, main: Effect | None, *, ends: Ends, prior: Effect | None = None
) -> Effect | None:
    """Return the write of the references that differ from what the target holds.

    Without another write of the object (`main`), it counts as an update.
    """
    values = _current(item, main)
    wanted = []
    old = item.link is not None and prior is None
    for path, rule in item.mapper.references.items():
        if old and rule.flow_type == "ObjectAddOnly":
            continue
        current = identifier(values.get(path))
        change = _change(item, rule, current, ends)
        if change is None and not _is_known(item, path, ends):
            change = _still_cleared(prior, rule, current)
        wanted.append(change)
    needed = tuple(each for each in wanted if each is not None)
    if not needed:
        return None
    blanks = any(each.to is None and each.unless is None for each in needed)
    return replace(
        item.effect(),
        key=f"{item.row.id}/r",
        action="reference" if main else "update",
        phase=PHASE_REFERENCE,
        references=needed,
        guards=("attributesBlanked",) if blanks else (),
    )


def with_references(item: Item, main: Effect | None, ends: Ends) -> Effect | None:
    """Let a creation say at once which linked objects it refers to."""
    if main is None or main.state != "pending" or not is_creation(main):
        return main
    changes = []
    for path in item.mapper.references:
        to = ends.named(item.desired.references.get(path, ()))
        if to is None or ends.presences.get(to, "in") not in {"in", "unknown"}:
            continue
        if resource := ends.resources[to]:
            changes.append(Change(path=path, after=resource))
    return replace(main, changes=(*main.changes, *changes)) if changes else main


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


async def deleted_now(run: Run, named: Sequence[str]) -> frozenset[str]:
    """Return those whom this cycle is to delete, not one that was cut short."""
    coming = await run.store.coming(run.rows, run.id, named)
    effects = await run.store.effects(run.rows, list(coming))
    return frozenset(id_ for id_, each in effects.items() if each.action == "delete")


async def leaving(run: Run, named: Sequence[str]) -> frozenset[str]:
    """Return those of the objects that have no resource, or lose it in this cycle."""
    resources = await run.store.resource_ids(run.job.target, named)
    deleted = await deleted_now(run, named)
    return frozenset(each for each in named if each not in resources or each in deleted)


def _possible(
    effect: Effect, ends: Mapping[str, str | None], left: frozenset[str]
) -> Effect | None:
    """Leave out what waits for its other end, or is so already."""
    possible = tuple(
        each
        for each in effect.references
        if (each.to is None and (each.unless is None or each.unless in left))
        or (
            each.to is not None
            and each.to in ends
            and (each.before is None or ends[each.to] != each.before)
        )
        or each.missing
    )
    if possible == effect.references:
        return effect
    return replace(effect, references=possible) if possible else None


async def ends_of(
    evaluation: Evaluation, named: Sequence[str]
) -> Mapping[str, str | None]:
    """Return those of the objects that are linked or about to be, by this cycle."""
    run = evaluation.run
    linked = await run.store.resource_ids(run.job.target, named)
    missing = [guid for guid in named if guid not in linked]
    return {**await run.store.coming(run.rows, run.id, missing), **linked}


def _count(evaluation: Evaluation, effect: Effect, possible: Effect | None) -> None:
    if effect.guards:
        return
    if possible is not None:
        count(evaluation.run.counts, possible)
        evaluation.requests += sends(possible)
    elif effect.action == "update":
        evaluation.run.counts.unchanged += 1


async def evaluate_references(evaluation: Evaluation) -> None:
    """Keep and count the writes of references whose other end will be there."""
    run = evaluation.run
    after, led = "", False
    while batch := await run.store.pending(
        run.rows, run.id, PHASE_REFERENCE, after=after, limit=BATCH
    ):
        changes = [change for each in batch for change in each.references]
        ends = await ends_of(evaluation, [each.to for each in changes if each.to])
        gone = await leaving(run, [each.unless for each in changes if each.unless])
        settled = [(each, _possible(each, ends, gone)) for each in batch]
        for each, left in settled:
            _count(evaluation, each, left)
        fewer = [left for each, left in settled if left is not None and left != each]
        await run.store.save_effects(run.rows, run.id, fewer)
        none = [each.key for each, left in settled if left is None]
        await run.store.remove_effects(run.rows, none)
        led |= await lead(run, [left for _, left in settled if left], ends)
        after = batch[-1].key
    if led:
        await count_whole(evaluation)
