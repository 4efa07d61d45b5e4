"""Compare one object with its resource: missing, changed attributes or members."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as altered
from typing import Any, Literal

from msgspec.structs import replace

from cloudforest.base.values import Value
from cloudforest.model.effects import Change
from cloudforest.model.ports.target import Refusal, ResourceNotFound
from cloudforest.model.program import ObjectType
from cloudforest.model.source import (
    FlatResource,
    Link,
    SourceObject,
    TargetResource,
)
from cloudforest.program.faults import MappingFault
from cloudforest.program.mapping.changes import compute_changes, is_same_value
from cloudforest.provisioning.differences import Candidate, get_reference_id
from cloudforest.provisioning.evaluation.decide import map_source_object
from cloudforest.provisioning.evaluation.deprovision import (
    decide_deprovision,
)
from cloudforest.provisioning.evaluation.references import (
    ReferableObjects,
    build_reference_effect,
    load_referable_objects,
)
from cloudforest.provisioning.export.requests import apply_changes
from cloudforest.provisioning.log_entries import redact_changes
from cloudforest.provisioning.mapper import ACTIVE, Mapper
from cloudforest.provisioning.run import CycleContext

DriftKind = Literal["missing", "attributes", "members"]
DriftCause = Literal["changed outside", "never arrived"]
"""The target holds another value than we wrote, or none although it took the write."""
NEVER_RETURNED = frozenset({"password"})
"""Attributes that no target returns (RFC 7643, 4.1.1: `returned` is `never`)."""
ObservedObject = tuple[SourceObject, Link, TargetResource]
MAX_NAMED = 100
"""Missing members of a group that are named."""


class DriftedAttribute(Value, frozen=True):
    """One attribute of a resource: desired, last written and actual; None is absent.

    References are resource ids. Members are objectGUIDs, and only those that differ.
    """

    path: str
    desired: Any
    written: Any
    actual: Any
    cause: DriftCause


class Drift(Value, frozen=True):
    """One kind of difference of one object.

    `object` is its objectGUID. `name` is its DN, or None if the caller sees no names.
    """

    object: str
    name: str | None
    resource: str
    kind: DriftKind
    attributes: tuple[DriftedAttribute, ...] = ()

    @staticmethod
    def for_object(
        source: SourceObject,
        link: Link,
        kind: DriftKind,
        attributes: tuple[DriftedAttribute, ...] = (),
    ) -> Drift:
        return Drift(
            object=source.object_guid,
            name=source.dn,
            resource=link.resource,
            kind=kind,
            attributes=attributes,
        )


@dataclass(frozen=True)
class DriftFinding:
    """A drift, with what a repair stores.

    `link` has the observed values as last written, if attributes drifted.
    `present_members` are the members that the target's group has, by resource id.
    """

    drift: Drift
    link: Link | None = None
    present_members: frozenset[str] = frozenset()


def redact_drift(drift: Drift) -> Drift:
    """Return the drift without names and values: only ids, paths and causes."""
    bare = tuple(
        replace(each, desired=None, written=None, actual=None)
        for each in drift.attributes
    )
    return replace(drift, name=None, attributes=bare)


def _observed_link(candidate: Candidate, link: Link, observed: TargetResource) -> Link:
    """Return the link as if we had written the values that the target holds."""
    unseen = candidate.mapper.random_paths | NEVER_RETURNED
    paths = [path for path in candidate.mapper.paths if path not in unseen]
    kept = {
        path: value for path, value in link.last_written.items() if path not in paths
    }
    values = {path: observed.values[path] for path in paths if path in observed.values}
    for path in candidate.mapper.reference_mappings:
        values[path] = get_reference_id(values.get(path))
    values = {path: value for path, value in values.items() if value is not None}
    return replace(link, last_written=kept | values)


def _list_needed_changes(
    candidate: Candidate, observed_link: Link, referable: ReferableObjects
) -> Iterator[Change]:
    """Yield the changes that would turn the observed values into the desired ones."""
    references = candidate.mapper.reference_mappings
    before = {
        p: v for p, v in observed_link.last_written.items() if p not in references
    }
    try:
        yield from compute_changes(
            before,
            candidate.desired.values,
            candidate.attribute_mappings,
            creating=False,
        )
    except MappingFault:
        return
    effect = build_reference_effect(
        altered(candidate, link=observed_link), None, referable=referable
    )
    for each in effect.references if effect else ():
        to = referable.resource_ids.get(each.to, each.to) if each.to else None
        yield Change(path=each.path, before=each.before, after=to)


def _find_cause(desired: Any, written: Any, actual: Any) -> DriftCause:
    if actual is None and (written is None or is_same_value(written, desired)):
        return "never arrived"
    return "changed outside"


def _has_drifted(change: Change, written: FlatResource) -> bool:
    """Return whether it is drift, not a change that the next cycle writes anyway.

    A value that we never wrote has not drifted if it would only be cleared.
    """
    if is_same_value(change.before, change.after):
        return False
    last_written = written.get(change.path)
    if last_written is None:
        return change.after is not None
    return not is_same_value(change.before, last_written)


def _drifted_attribute(change: Change, written: FlatResource) -> DriftedAttribute:
    last_written = written.get(change.path)
    return DriftedAttribute(
        path=change.path,
        desired=change.after,
        written=last_written,
        actual=change.before,
        cause=_find_cause(change.after, last_written, change.before),
    )


def _written_values(candidate: Candidate, link: Link) -> FlatResource:
    """Return the last written values, with references as resource ids."""
    ids = {
        path: get_reference_id(link.last_written[path])
        for path in candidate.mapper.reference_mappings
        if path in link.last_written
    }
    return link.last_written | ids


def compare_candidate(
    candidate: Candidate,
    link: Link,
    observed: TargetResource,
    referable: ReferableObjects,
) -> tuple[tuple[DriftedAttribute, ...], Link]:
    """Return the drifted attributes, and the link with their observed values."""
    written = _written_values(candidate, link)
    needed = _list_needed_changes(
        candidate, _observed_link(candidate, link, observed), referable
    )
    drifted = [each for each in needed if _has_drifted(each, written)]
    observed_changes = [Change(path=each.path, after=each.before) for each in drifted]
    observed_link = replace(
        link, last_written=apply_changes(link.last_written, observed_changes)
    )
    return tuple(_drifted_attribute(each, written) for each in drifted), observed_link


def _redact_attribute(
    each: DriftedAttribute, hidden: frozenset[str]
) -> DriftedAttribute:
    """Replace sensitive values by the log's mark, and cut long ones."""
    pairs = (
        Change(path=each.path, before=each.desired, after=each.written),
        Change(path=each.path, before=each.actual),
    )
    redacted, actual = redact_changes(pairs, hidden)
    return DriftedAttribute(
        path=each.path,
        desired=redacted.before,
        written=redacted.after,
        actual=actual.before,
        cause=each.cause,
    )


def _build_finding(
    mapper: Mapper,
    source: SourceObject,
    drifted: Sequence[DriftedAttribute],
    observed_link: Link,
) -> DriftFinding | None:
    if not drifted:
        return None
    hidden = frozenset(each.target for each in mapper.program.rules if each.sensitive)
    attributes = tuple(_redact_attribute(each, hidden) for each in drifted)
    return DriftFinding(
        Drift.for_object(source, observed_link, "attributes", attributes), observed_link
    )


def find_regained_access(
    mapper: Mapper, source: SourceObject, link: Link, observed: TargetResource
) -> DriftFinding | None:
    """Return the drift of a leaver who can sign in again, though we disabled it."""
    enabled = replace(link, last_written=link.last_written | {ACTIVE: True})
    effect = decide_deprovision(source, mapper, enabled)
    if (
        link.last_written.get(ACTIVE) is not False
        or observed.values.get(ACTIVE) is not True
        or effect is None
        or effect.action != "disable"
    ):
        return None
    change = Change(path=ACTIVE, before=True, after=False)
    drifted = _drifted_attribute(change, link.last_written)
    return _build_finding(mapper, source, [drifted], enabled)


def _map_candidates(
    context: CycleContext,
    mappers: Mapping[ObjectType, Mapper],
    observed: Iterable[ObservedObject],
) -> dict[str, Candidate]:
    """Map the objects, except those with a fault, which the next cycle logs."""
    now = context.clock()
    examined = (
        map_source_object(row, mappers[row.type], link=link, previous=None, now=now)
        for row, link, _ in observed
    )
    return {
        each.source.object_guid: each
        for each in examined
        if isinstance(each, Candidate)
    }


async def find_drifted_attributes(
    context: CycleContext,
    mappers: Mapping[ObjectType, Mapper],
    observed: Sequence[ObservedObject],
) -> list[DriftFinding]:
    """Return the attribute drift of a batch of objects in scope."""
    candidates = _map_candidates(context, mappers, observed)
    named = [
        guid
        for item in candidates.values()
        for guids in item.desired.references.values()
        for guid in guids
    ]
    ends = await load_referable_objects(context, named)
    compared = (
        _build_finding(
            mappers[row.type],
            row,
            *compare_candidate(candidates[row.object_guid], link, resource, ends),
        )
        for row, link, resource in observed
        if row.object_guid in candidates
    )
    return [each for each in compared if each is not None]


async def _list_present_members(
    context: CycleContext, link: Link
) -> frozenset[str] | None:
    """Read the group's members, which lists leave out; None if the target refuses."""
    try:
        return await context.target.list_member_ids(link.resource_type, link.resource)
    except ResourceNotFound:
        return frozenset()
    except Refusal:
        return None


async def find_drifted_members(
    context: CycleContext, mapper: Mapper, source: SourceObject, link: Link
) -> DriftFinding | None:
    """Return the written members that the group lacks; others' members do not count."""
    if mapper.members_mapping is None:
        return None
    written = await context.store.load_written_members(
        context.job.target, source.object_guid
    )
    present = await _list_present_members(context, link) if written else None
    if present is None:
        return None
    resource_ids = await context.store.load_resource_ids(
        context.job.target, list(written)
    )
    missing = sorted(each for each in written if resource_ids.get(each) not in present)
    named = tuple(missing[:MAX_NAMED])
    differing = DriftedAttribute(
        path=mapper.members_mapping.target,
        desired=named,
        written=named,
        actual=(),
        cause="changed outside",
    )
    drift = Drift.for_object(source, link, "members", (differing,))
    return DriftFinding(drift, present_members=present) if missing else None
