"""Find drift: objects whose values in the target differ from the last written ones.

A difference between desired and last written values is not drift: the next cycle writes
it. A repair stores the observed values as last written. The next cycle then writes the
desired ones, so that guard, log and escrow cover a repair like any other write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as altered
from operator import attrgetter
from typing import Any, Literal

from msgspec.structs import replace

from cloudforest.base.values import Value
from cloudforest.model.effects import Change
from cloudforest.model.program import ObjectType
from cloudforest.model.source import (
    KEPT_PRESENCES,
    FlatResource,
    Link,
    SourceObject,
    TargetResource,
)
from cloudforest.program.faults import MappingFault
from cloudforest.program.mapping.changes import compute_changes, is_same_value
from cloudforest.provisioning.differences import (
    Candidate,
    apply_changes,
    get_reference_id,
)
from cloudforest.provisioning.evaluation.decide import (
    decide_deprovision,
    map_source_object,
)
from cloudforest.provisioning.evaluation.references import (
    ReferableObjects,
    build_reference_effect,
    load_referable_objects,
)
from cloudforest.provisioning.log_entries import redact_changes
from cloudforest.provisioning.mapper import ACTIVE, Mapper, build_mappers
from cloudforest.provisioning.matching import Matcher, list_present_members
from cloudforest.provisioning.run import CycleContext, read_pages

BATCH = 500
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
    kept = {path: v for path, v in link.last_written.items() if path not in paths}
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


def _compare_candidate(
    candidate: Candidate,
    link: Link,
    observed: TargetResource,
    referable: ReferableObjects,
) -> DriftFinding | None:
    """Return the attribute drift of an object in scope."""
    references = candidate.mapper.reference_mappings.keys()
    written = link.last_written | {
        path: get_reference_id(link.last_written[path])
        for path in references & link.last_written.keys()
    }
    needed = _list_needed_changes(
        candidate, _observed_link(candidate, link, observed), referable
    )
    drifted = [each for each in needed if _has_drifted(each, written)]
    observed_changes = [Change(path=each.path, after=each.before) for each in drifted]
    observed_link = replace(
        link, last_written=apply_changes(link.last_written, observed_changes)
    )
    return _build_finding(
        candidate.mapper,
        candidate.source,
        drifted,
        written=written,
        observed_link=observed_link,
    )


def _build_finding(
    mapper: Mapper,
    source: SourceObject,
    drifted: Sequence[Change],
    *,
    written: FlatResource,
    observed_link: Link,
) -> DriftFinding | None:
    """Build a finding with values as the log shows them: redacted, and cut.

    The changes lead from the actual values to the desired ones.
    """
    hidden = frozenset(each.target for each in mapper.program.rules if each.sensitive)
    attributes = []
    for each in drifted:
        last_written = written.get(each.path)
        never_arrived = each.before is None and (
            last_written is None or is_same_value(last_written, each.after)
        )
        known = Change(path=each.path, after=last_written)
        shown, shown_written = redact_changes((each, known), hidden)
        attributes.append(
            DriftedAttribute(
                path=each.path,
                desired=shown.after,
                written=shown_written.after,
                actual=shown.before,
                cause="never arrived" if never_arrived else "changed outside",
            )
        )
    if not attributes:
        return None
    drift = Drift.for_object(source, observed_link, "attributes", tuple(attributes))
    return DriftFinding(drift, observed_link)


def _find_regained_access(
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
    written = link.last_written
    return _build_finding(
        mapper, source, [change], written=written, observed_link=enabled
    )


async def _find_drifted_attributes(
    context: CycleContext,
    mappers: Mapping[ObjectType, Mapper],
    observed: Sequence[ObservedObject],
) -> list[DriftFinding | None]:
    """Return the attribute drift of a batch; the next cycle logs mapping faults."""
    now = context.clock()
    candidates = []
    for source, link, resource in observed:
        mapped = map_source_object(
            source, mappers[source.type], link=link, previous=None, now=now
        )
        if isinstance(mapped, Candidate):
            candidates.append((mapped, link, resource))
    named = [
        guid
        for each, _, _ in candidates
        for guids in each.desired.references.values()
        for guid in guids
    ]
    referable = await load_referable_objects(context, named)
    return [_compare_candidate(*each, referable) for each in candidates]


async def _find_drifted_members(
    context: CycleContext, mapper: Mapper, source: SourceObject, link: Link
) -> DriftFinding | None:
    """Return the written members that the group lacks; others' members do not count."""
    if mapper.members_mapping is None:
        return None
    written = await context.store.load_written_members(
        context.job.target, source.object_guid
    )
    if not written:
        return None
    present = await list_present_members(context, link.resource_type, link.resource)
    if present is None:
        return None
    resource_ids = await context.load_resource_ids(list(written))
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


async def _compare_batch(
    matcher: Matcher,
    mappers: Mapping[ObjectType, Mapper],
    sources: Sequence[SourceObject],
) -> tuple[int, list[DriftFinding]]:
    context = matcher.context
    links = await context.load_links([each.object_guid for each in sources])
    mapped = [
        each for each in sources if each.object_guid in links and each.type in mappers
    ]
    leavers = [
        each.object_guid for each in mapped if each.presence not in KEPT_PRESENCES
    ]
    held_by_siblings = await context.find_held_by_siblings(leavers)
    own = [each for each in mapped if each.object_guid not in held_by_siblings]
    checked = await matcher.check_links(
        mappers, [links[each.object_guid] for each in own]
    )
    findings: list[DriftFinding | None] = []
    observed: list[ObservedObject] = []
    regained: list[DriftFinding | None] = []
    for source in own:
        link = links[source.object_guid]
        resource = checked.get(source.object_guid)
        is_kept = source.presence in KEPT_PRESENCES
        if resource is not None and is_kept:
            observed.append((source, link, resource))
        elif resource is not None:
            mapper = mappers[source.type]
            regained.append(_find_regained_access(mapper, source, link, resource))
        elif is_kept and source.object_guid in checked:
            findings.append(DriftFinding(Drift.for_object(source, link, "missing")))
    findings += await _find_drifted_attributes(context, mappers, observed)
    findings += regained
    for source, link, _ in observed:
        mapper = mappers[source.type]
        findings.append(await _find_drifted_members(context, mapper, source, link))
    return len(own), [each for each in findings if each is not None]


async def scan_drift(
    context: CycleContext,
) -> AsyncIterator[tuple[int, list[DriftFinding]]]:
    """Yield the number of linked objects compared in a batch, and their drift.

    Write nothing. Hold the target lock meanwhile, so that no cycle writes there.
    """
    mappers = build_mappers(context.program, context.clock())
    matcher = Matcher(context)
    try:
        async for sources in read_pages(
            lambda after: context.store.list_source_objects(
                context.key_name, context.job.target, after, BATCH
            ),
            key_of=attrgetter("object_guid"),
        ):
            yield await _compare_batch(matcher, mappers, sources)
    finally:
        await context.store.clear_snapshot(context.snapshot_key)


async def accept_observed(
    context: CycleContext, drifted: Sequence[DriftFinding]
) -> None:
    """Store the observed state of a batch as last written; idempotent."""
    store, target = context.store, context.job.target
    links = [each.link for each in drifted if each.link is not None]
    gone = [each.drift.object for each in drifted if each.drift.kind == "missing"]
    await store.save_observed(target, links, gone)
    for each in drifted:
        if each.drift.kind == "members":
            await store.retain_written_members(
                target, each.drift.object, each.present_members
            )


async def save_drifted(
    context: CycleContext, snapshot: str, drifted: Sequence[DriftFinding]
) -> None:
    """Store the drifted objects under this name: they may not fit into memory."""
    objects = [TargetResource(id=each.drift.object, values={}) for each in drifted]
    await context.store.save_snapshot(snapshot, "drifted", objects, ())
