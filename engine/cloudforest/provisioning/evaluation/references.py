"""From objects to the writes of their references: after both ends exist.

Creates first those whom other creations refer to: one write instead of two.

Settles which pending references can be written, when all objects are evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from cloudforest.model.effects import (
    PHASE_REFERENCE,
    PHASE_REFERENCED_FIRST,
    PHASE_WRITE,
    Change,
    Effect,
    ReferenceChange,
)
from cloudforest.model.program import CompiledAttributeMapping
from cloudforest.model.source import FlatResource, Presence
from cloudforest.provisioning.differences import Candidate, get_reference_id
from cloudforest.provisioning.evaluation.state import Evaluation
from cloudforest.provisioning.run import CycleContext

ADD_ONLY_FLOW_TYPES = frozenset(
    {"ValueAddOnly", "AttributeAddOnly", "MultiValueAddOnly"}
)
"""Flow types that leave alone a reference that is there."""


@dataclass(frozen=True)
class ReferableObjects:
    """The objects that references may name.

    `resources` has the resource ids that there are, `presences` what the jobs of the
    target say of those that they have rows of.
    """

    resource_ids: Mapping[str, str | None] = field(default_factory=dict)
    load_presences: Mapping[str, Presence] = field(default_factory=dict)

    def first_referable(self, guids: Sequence[str]) -> str | None:
        return next((each for each in guids if each in self.resource_ids), None)


async def load_referable_objects(
    context: CycleContext, named: Sequence[str]
) -> ReferableObjects:
    """Return the objects that a reference may name before all are evaluated."""
    if not named:
        return ReferableObjects()
    known = await context.store.find_known_objects(
        context.key_name, context.job.target, named
    )
    resources = await context.store.load_resource_ids(context.job.target, named)
    presences = await context.store.load_presences(context.key.all_jobs, named)
    return ReferableObjects({guid: resources.get(guid) for guid in known}, presences)


def _clearing_change(
    rule: CompiledAttributeMapping, current: str | None, *, unless: str | None = None
) -> ReferenceChange | None:
    if current is None or rule.when_null == "keep":
        return None
    return ReferenceChange(path=rule.target, to=None, before=current, unless=unless)


def _missing_reference_change(
    rule: CompiledAttributeMapping, current: str | None, guid: str
) -> ReferenceChange | None:
    """Name who has no resource by the objectGUID: all that is known of everybody."""
    if current == guid:
        return None
    return ReferenceChange(path=rule.target, to=guid, before=current, missing=True)


def _compare_reference(
    candidate: Candidate,
    rule: CompiledAttributeMapping,
    current: str | None,
    referable: ReferableObjects,
) -> ReferenceChange | None:
    """Compare one reference with what the target holds.

    A directory drops a reference to a deleted object without a word. One to an object
    out of scope stays for as long as that has a resource.
    """
    if current is not None and rule.flow_type in ADD_ONLY_FLOW_TYPES:
        return None
    named = candidate.desired.references.get(rule.target, ())
    guids = [each for each in named if referable.load_presences.get(each) != "gone"]
    if not guids:
        return _clearing_change(rule, current)
    to = referable.first_referable(guids)
    if to is None and rule.export_missing_references:
        return _missing_reference_change(rule, current, guids[0])
    left = next(
        (each for each in guids if referable.load_presences.get(each) == "out"), None
    )
    if left is not None and to in {left, None}:
        deleted = candidate.mapper.program.deprovision.out_of_scope == "delete"
        if to is None or (deleted and referable.resource_ids[to] == current):
            return _clearing_change(rule, current, unless=left)
    if to is None or (current is not None and referable.resource_ids[to] == current):
        return None
    return ReferenceChange(path=rule.target, to=to, before=current)


def _current_values(candidate: Candidate, main_effect: Effect | None) -> FlatResource:
    """Return what we last wrote, or what an adoption found or a creation will write."""
    if candidate.link is not None and candidate.observed is None:
        return candidate.link.last_written
    return (
        {each.path: each.after for each in main_effect.changes} if main_effect else {}
    )


def _is_referable(candidate: Candidate, path: str, referable: ReferableObjects) -> bool:
    guids = candidate.desired.references.get(path, ())
    return not guids or referable.first_referable(guids) is not None


def _repeated_clearing(
    previous: Effect | None, rule: CompiledAttributeMapping, current: str | None
) -> ReferenceChange | None:
    """Go on clearing what was to be cleared, when who it named is forgotten by now."""
    elder = ReferenceChange(path=rule.target, to=None, before=current)
    dropped = previous.references if previous and current is not None else ()
    found = any(replace(each, unless=None) == elder for each in dropped)
    return elder if found else None


def build_reference_effect(
    candidate: Candidate,
    main_effect: Effect | None,
    *,
    referable: ReferableObjects,
    previous: Effect | None = None,
) -> Effect | None:
    """Return the write of the references that differ from what the target holds.

    Without another write of the object (`main`), it counts as an update.
    """
    values = _current_values(candidate, main_effect)
    wanted = []
    old = candidate.link is not None and previous is None
    for path, rule in candidate.mapper.reference_mappings.items():
        if old and rule.flow_type == "ObjectAddOnly":
            continue
        current = get_reference_id(values.get(path))
        change = _compare_reference(candidate, rule, current, referable)
        if change is None and not _is_referable(candidate, path, referable):
            change = _repeated_clearing(previous, rule, current)
        wanted.append(change)
    needed = tuple(each for each in wanted if each is not None)
    if not needed:
        return None
    blanks = any(each.to is None and each.unless is None for each in needed)
    return replace(
        candidate.build_effect(),
        key=f"{candidate.source.object_guid}/r",
        action="reference" if main_effect else "update",
        phase=PHASE_REFERENCE,
        references=needed,
        guards=("attributesBlanked",) if blanks else (),
    )


def add_linked_references(
    candidate: Candidate, main_effect: Effect | None, referable: ReferableObjects
) -> Effect | None:
    """Let a creation say at once which linked objects it refers to."""
    if (
        main_effect is None
        or main_effect.state != "pending"
        or not main_effect.is_creation
    ):
        return main_effect
    changes = []
    for path in candidate.mapper.reference_mappings:
        to = referable.first_referable(candidate.desired.references.get(path, ()))
        if to is None or referable.load_presences.get(to, "in") not in {
            "in",
            "unknown",
        }:
            continue
        if resource := referable.resource_ids[to]:
            changes.append(Change(path=path, after=resource))
    return (
        replace(main_effect, changes=(*main_effect.changes, *changes))
        if changes
        else main_effect
    )


BATCH = 500


async def create_referenced_first(
    context: CycleContext,
    reference_effects: Sequence[Effect],
    linkable: Mapping[str, str | None],
) -> bool:
    """Let those lead who are yet to be created; False: there is nobody to create."""
    named = [
        change.to
        for each in reference_effects
        for change in each.references
        if each.action == "reference"
        and change.to
        and linkable.get(change.to, "") is None
    ]
    effects = await context.store.load_effects(context.key_name, named) if named else {}
    leads = [
        replace(each, phase=PHASE_REFERENCED_FIRST)
        for each in effects.values()
        if each.is_creation and each.phase == PHASE_WRITE
    ]
    await context.store.save_effects(context.key_name, context.cycle_id, leads)
    return bool(named)


async def deduct_merged_requests(evaluation: Evaluation) -> None:
    """Count one request for a creation that names nobody but those who lead.

    Leads themselves need two: nobody knows which of two comes first.
    """
    context, after = evaluation.context, ""
    while batch := await context.store.list_pending_effects(
        context.key_name, context.cycle_id, PHASE_REFERENCE, after=after, limit=BATCH
    ):
        after = batch[-1].key
        named = {
            each.id: {change.to for change in each.references if change.to}
            for each in batch
            if each.action == "reference"
        }
        ids = [*named, *set().union(*named.values())]
        phases = await context.store.find_pending_creations(
            context.key_name, context.cycle_id, ids
        )
        leads = {
            id_ for id_, phase in phases.items() if phase == PHASE_REFERENCED_FIRST
        }
        evaluation.requests -= sum(
            phases.get(id_) == PHASE_WRITE and others <= leads
            for id_, others in named.items()
        )


async def find_pending_deletions(
    context: CycleContext, named: Sequence[str]
) -> frozenset[str]:
    """Return those whom this cycle is to delete, not one that was cut short."""
    coming = await context.store.find_pending_writes(
        context.key_name, context.cycle_id, named
    )
    effects = await context.store.load_effects(context.key_name, list(coming))
    return frozenset(id_ for id_, each in effects.items() if each.action == "delete")


async def find_without_resource(
    context: CycleContext, named: Sequence[str]
) -> frozenset[str]:
    """Return those of the objects that have no resource, or lose it in this cycle."""
    resources = await context.store.load_resource_ids(context.job.target, named)
    deleted = await find_pending_deletions(context, named)
    return frozenset(each for each in named if each not in resources or each in deleted)


def _keep_writable_references(
    effect: Effect, linkable: Mapping[str, str | None], without_resource: frozenset[str]
) -> Effect | None:
    """Leave out what waits for its other end, or is so already."""
    possible = tuple(
        each
        for each in effect.references
        if (
            each.to is None and (each.unless is None or each.unless in without_resource)
        )
        or (
            each.to is not None
            and each.to in linkable
            and (each.before is None or linkable[each.to] != each.before)
        )
        or each.missing
    )
    if possible == effect.references:
        return effect
    return replace(effect, references=possible) if possible else None


async def load_linkable(
    evaluation: Evaluation, named: Sequence[str]
) -> Mapping[str, str | None]:
    """Return those of the objects that are linked or about to be, by this cycle."""
    context = evaluation.context
    linked = await context.store.load_resource_ids(context.job.target, named)
    missing = [guid for guid in named if guid not in linked]
    return {
        **await context.store.find_pending_writes(
            context.key_name, context.cycle_id, missing
        ),
        **linked,
    }


def _count_references(
    evaluation: Evaluation, effect: Effect, writable: Effect | None
) -> None:
    if effect.guards:
        return
    if writable is not None:
        evaluation.context.counts.count(writable)
        evaluation.requests += writable.sends_request
    elif effect.action == "update":
        evaluation.context.counts.unchanged += 1


async def evaluate_references(evaluation: Evaluation) -> None:
    """Keep and count the writes of references whose other end will be there."""
    context = evaluation.context
    after, led = "", False
    while batch := await context.store.list_pending_effects(
        context.key_name, context.cycle_id, PHASE_REFERENCE, after=after, limit=BATCH
    ):
        changes = [change for each in batch for change in each.references]
        ends = await load_linkable(evaluation, [each.to for each in changes if each.to])
        gone = await find_without_resource(
            context, [each.unless for each in changes if each.unless]
        )
        settled = [
            (each, _keep_writable_references(each, ends, gone)) for each in batch
        ]
        for each, left in settled:
            _count_references(evaluation, each, left)
        fewer = [left for each, left in settled if left is not None and left != each]
        await context.store.save_effects(context.key_name, context.cycle_id, fewer)
        none = [each.key for each, left in settled if left is None]
        await context.store.remove_effects(context.key_name, none)
        led |= await create_referenced_first(
            context, [left for _, left in settled if left], ends
        )
        after = batch[-1].key
    if led:
        await deduct_merged_requests(evaluation)
