"""Evaluates references, such as managers, which are written once both ends exist.

When all objects are evaluated, settles which references can be written. Objects that
other creations refer to are created first: one request then writes both.
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
from cloudforest.model.source import KEPT_PRESENCES, FlatResource, Presence
from cloudforest.provisioning.differences import Candidate, get_reference_id
from cloudforest.provisioning.evaluation.state import Evaluation
from cloudforest.provisioning.run import CycleContext

ADD_ONLY_FLOW_TYPES = frozenset(
    {"ValueAddOnly", "AttributeAddOnly", "MultiValueAddOnly"}
)
"""Flow types that never replace an existing reference."""
BATCH = 500


@dataclass(frozen=True)
class ReferableObjects:
    """The objects that references may name, by objectGUID.

    `resource_ids` is None for an object without a resource yet. `presences` come from
    all jobs of the target.
    """

    resource_ids: Mapping[str, str | None] = field(default_factory=dict)
    presences: Mapping[str, Presence] = field(default_factory=dict)

    def first_referable(self, guids: Sequence[str]) -> str | None:
        return next((each for each in guids if each in self.resource_ids), None)


async def load_referable_objects(
    context: CycleContext, guids: Sequence[str]
) -> ReferableObjects:
    """Return which of the objects a reference may name, before all are evaluated."""
    if not guids:
        return ReferableObjects()
    known = await context.store.find_known_objects(
        context.key_name, context.job.target, guids
    )
    resource_ids = await context.load_resource_ids(guids)
    presences = await context.store.load_presences(context.key.all_jobs, guids)
    return ReferableObjects({guid: resource_ids.get(guid) for guid in known}, presences)


def _clearing_change(
    rule: CompiledAttributeMapping, current: str | None, *, unless: str | None = None
) -> ReferenceChange | None:
    if current is None or rule.when_null == "keep":
        return None
    return ReferenceChange(path=rule.target, to=None, before=current, unless=unless)


def _compare_reference(
    candidate: Candidate,
    rule: CompiledAttributeMapping,
    current: str | None,
    referable: ReferableObjects,
) -> ReferenceChange | None:
    """Compare one reference with what the target holds.

    Like a directory, clear a reference to a deleted object. A reference to an object
    out of scope stays as long as this object has a resource.
    """
    if current is not None and rule.flow_type in ADD_ONLY_FLOW_TYPES:
        return None
    desired = candidate.desired.references.get(rule.target, ())
    guids = [each for each in desired if referable.presences.get(each) != "gone"]
    if not guids:
        return _clearing_change(rule, current)
    to = referable.first_referable(guids)
    if to is None and rule.export_missing_references:
        # It is named by its objectGUID while it has no resource.
        missing = ReferenceChange(
            path=rule.target, to=guids[0], before=current, missing=True
        )
        return None if current == guids[0] else missing
    leavers = [each for each in guids if referable.presences.get(each) == "out"]
    leaver = leavers[0] if leavers else None
    if leaver is not None and to in {leaver, None}:
        is_deleted = candidate.mapper.program.deprovision.out_of_scope == "delete"
        if to is None or (is_deleted and referable.resource_ids[to] == current):
            return _clearing_change(rule, current, unless=leaver)
    if to is None or (current is not None and referable.resource_ids[to] == current):
        return None
    return ReferenceChange(path=rule.target, to=to, before=current)


def _current_values(candidate: Candidate, main_effect: Effect | None) -> FlatResource:
    """Return the last written values, or those that the adoption or creation leaves."""
    if candidate.link is not None and candidate.observed is None:
        return candidate.link.last_written
    return main_effect.after_values if main_effect else {}


def _repeated_clearing(
    previous: Effect | None, rule: CompiledAttributeMapping, current: str | None
) -> ReferenceChange | None:
    """Repeat an unfinished clearing, even if the referenced object is now forgotten."""
    clearing = ReferenceChange(path=rule.target, to=None, before=current)
    unfinished = previous.references if previous and current is not None else ()
    found = any(replace(each, unless=None) == clearing for each in unfinished)
    return clearing if found else None


def build_reference_effect(
    candidate: Candidate,
    main_effect: Effect | None,
    *,
    referable: ReferableObjects,
    previous: Effect | None = None,
) -> Effect | None:
    """Return the write of the references that differ from what the target holds.

    Without a main effect, another write of the object, it counts as an update.
    """
    values = _current_values(candidate, main_effect)
    needed: list[ReferenceChange] = []
    is_settled = candidate.link is not None and previous is None
    for path, rule in candidate.mapper.reference_mappings.items():
        if is_settled and rule.flow_type == "ObjectAddOnly":
            continue
        current = get_reference_id(values.get(path))
        change = _compare_reference(candidate, rule, current, referable)
        desired = candidate.desired.references.get(path, ())
        if change is None and desired and referable.first_referable(desired) is None:
            change = _repeated_clearing(previous, rule, current)
        if change is not None:
            needed.append(change)
    if not needed:
        return None
    blanks = any(each.to is None and each.unless is None for each in needed)
    return candidate.build_effect(
        key=f"{candidate.source.object_guid}/r",
        action="reference" if main_effect else "update",
        phase=PHASE_REFERENCE,
        references=tuple(needed),
        guards=("attributesBlanked",) if blanks else (),
    )


def add_linked_references(
    candidate: Candidate, creation: Effect, referable: ReferableObjects
) -> Effect:
    """Add references to linked objects to a creation."""
    changes = [
        Change(path=path, after=resource)
        for path in candidate.mapper.reference_mappings
        if (to := referable.first_referable(candidate.desired.references.get(path, ())))
        and referable.presences.get(to, "in") in KEPT_PRESENCES
        and (resource := referable.resource_ids[to])
    ]
    if not changes:
        return creation
    return replace(creation, changes=(*creation.changes, *changes))


async def _create_referenced_first(
    context: CycleContext,
    reference_effects: Sequence[Effect],
    linkable: Mapping[str, str | None],
) -> bool:
    """Move referenced creations to the first phase; False: nothing is referenced.

    Only references of other creations count, to objects without a resource.
    """
    referenced = [
        change.to
        for each in reference_effects
        for change in each.references
        if each.action == "reference"
        and change.to
        and linkable.get(change.to, "") is None
    ]
    if not referenced:
        return False
    effects = await context.store.load_effects(context.key_name, referenced)
    moved = [
        replace(each, phase=PHASE_REFERENCED_FIRST)
        for each in effects.values()
        if each.is_creation and each.phase == PHASE_WRITE
    ]
    await context.store.save_effects(context.key_name, context.cycle_id, moved)
    return True


async def _deduct_merged_requests(evaluation: Evaluation) -> None:
    """Count one request for a creation that refers only to objects created first.

    Two objects created first may refer to each other, so they still need two requests.
    """
    context = evaluation.context
    async for batch in context.read_pending_effects(PHASE_REFERENCE, BATCH):
        referenced = {
            each.id: {change.to for change in each.references if change.to}
            for each in batch
            if each.action == "reference"
        }
        guids = [*referenced, *set().union(*referenced.values())]
        phases = await context.store.find_pending_creations(
            context.key_name, context.cycle_id, guids
        )
        created_first = {
            guid for guid, phase in phases.items() if phase == PHASE_REFERENCED_FIRST
        }
        evaluation.requests -= sum(
            phases.get(guid) == PHASE_WRITE and others <= created_first
            for guid, others in referenced.items()
        )


async def find_pending_deletions(
    context: CycleContext, guids: Sequence[str]
) -> frozenset[str]:
    """Return the objects that this cycle will delete.

    Deletions left over from an interrupted cycle do not count.
    """
    pending = await context.store.find_pending_writes(
        context.key_name, context.cycle_id, guids
    )
    effects = await context.store.load_effects(context.key_name, list(pending))
    return frozenset(guid for guid, each in effects.items() if each.action == "delete")


async def _find_without_resource(
    context: CycleContext, guids: Sequence[str]
) -> frozenset[str]:
    """Return the objects that have no resource, or lose it in this cycle."""
    linked = await context.load_resource_ids(guids)
    deleted = await find_pending_deletions(context, guids)
    return frozenset(each for each in guids if each not in linked or each in deleted)


def _keep_writable_references(
    effect: Effect, linkable: Mapping[str, str | None], without_resource: frozenset[str]
) -> Effect | None:
    """Keep the references whose other end exists and that the target lacks."""

    def is_writable(each: ReferenceChange) -> bool:
        if each.missing:
            return True
        if each.to is None:
            return each.unless is None or each.unless in without_resource
        return each.to in linkable and (
            each.before is None or linkable[each.to] != each.before
        )

    writable = tuple(each for each in effect.references if is_writable(each))
    if writable == effect.references:
        return effect
    return replace(effect, references=writable) if writable else None


async def load_linkable(
    context: CycleContext, guids: Sequence[str]
) -> Mapping[str, str | None]:
    """Return the resource ids of the objects that are linked, or will be this cycle."""
    linked = await context.load_resource_ids(guids)
    unlinked = [guid for guid in guids if guid not in linked]
    pending = await context.store.find_pending_writes(
        context.key_name, context.cycle_id, unlinked
    )
    return {**pending, **linked}


async def evaluate_references(evaluation: Evaluation) -> None:
    """Keep and count the references whose other end exists or will exist."""
    context = evaluation.context
    has_created_first = False
    async for batch in context.read_pending_effects(PHASE_REFERENCE, BATCH):
        changes = [change for each in batch for change in each.references]
        linkable = await load_linkable(
            context, [each.to for each in changes if each.to]
        )
        without_resource = await _find_without_resource(
            context, [each.unless for each in changes if each.unless]
        )
        settled = [
            (each, _keep_writable_references(each, linkable, without_resource))
            for each in batch
        ]
        for each, kept in settled:
            if each.guards:
                continue
            if kept is not None:
                evaluation.add_request(kept)
            elif each.action == "update":
                context.counts.unchanged += 1
        reduced = [kept for each, kept in settled if kept is not None and kept != each]
        await context.store.save_effects(context.key_name, context.cycle_id, reduced)
        unwritable = [each.key for each, kept in settled if kept is None]
        await context.store.remove_effects(context.key_name, unwritable)
        has_created_first |= await _create_referenced_first(
            context, [kept for _, kept in settled if kept], linkable
        )
    if has_created_first:
        await _deduct_merged_requests(evaluation)
