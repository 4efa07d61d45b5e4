"""Find drift: objects whose values in the target differ from the last written ones.

A difference between desired and last written values is not drift: the next cycle writes
it. A repair stores the observed values as last written. The next cycle then writes the
desired ones, so that guard, log and escrow cover a repair like any other write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from cloudforest.model.program import ObjectType
from cloudforest.model.source import (
    KEPT_PRESENCES,
    Link,
    SourceObject,
    TargetResource,
)
from cloudforest.provisioning.drift_comparison import (
    Drift,
    DriftFinding,
    find_drifted_attributes,
    find_drifted_members,
    find_regained_access,
)
from cloudforest.provisioning.evaluation.deprovision import (
    find_held_by_siblings,
)
from cloudforest.provisioning.mapper import Mapper, build_mappers
from cloudforest.provisioning.matching import CheckedLinks, Matcher, check_links
from cloudforest.provisioning.run import CycleContext

BATCH = 500


@dataclass(frozen=True)
class DriftScan:
    """One comparison of a job's links with the target, while its snapshot is kept."""

    context: CycleContext
    mappers: Mapping[ObjectType, Mapper]
    matcher: Matcher


@dataclass(frozen=True)
class DriftBatch:
    """The number of objects compared in a batch, and their drift."""

    checked: int
    findings: tuple[DriftFinding, ...]


async def _check_links(scan: DriftScan, links: Mapping[str, Link]) -> CheckedLinks:
    checked = CheckedLinks()
    for kind, mapper in scan.mappers.items():
        its = {each.resource: each for each in links.values() if each.type == kind}
        if its:
            await check_links(scan.matcher, mapper, its, checked)
    return checked


def _missing_finding(source: SourceObject, link: Link) -> DriftFinding:
    return DriftFinding(Drift.for_object(source, link, "missing"))


async def _own_objects(
    scan: DriftScan, sources: Sequence[SourceObject], links: Mapping[str, Link]
) -> list[SourceObject]:
    """Return the linked and mapped objects that no sibling job holds instead."""
    mapped = [
        row for row in sources if row.object_guid in links and row.type in scan.mappers
    ]
    leavers = [row.object_guid for row in mapped if row.presence not in KEPT_PRESENCES]
    held_by_siblings = await find_held_by_siblings(scan.context, leavers)
    return [row for row in mapped if row.object_guid not in held_by_siblings]


async def _compare_batch(
    scan: DriftScan, sources: Sequence[SourceObject]
) -> DriftBatch:
    context = scan.context
    links = await context.store.load_links(
        context.job.target, [row.object_guid for row in sources]
    )
    own = await _own_objects(scan, sources, links)
    checked = await _check_links(
        scan, {row.object_guid: links[row.object_guid] for row in own}
    )
    observed = [row for row in own if row.object_guid in checked.observed]
    kept = [row for row in observed if row.presence in KEPT_PRESENCES]
    leavers = [row for row in observed if row.presence not in KEPT_PRESENCES]
    drifted = [
        _missing_finding(row, links[row.object_guid])
        for row in own
        if row.object_guid in checked.missing and row.presence in KEPT_PRESENCES
    ]
    pairs = [
        (row, links[row.object_guid], checked.observed[row.object_guid]) for row in kept
    ]
    drifted += await find_drifted_attributes(context, scan.mappers, pairs)
    for source in leavers:
        link, found = links[source.object_guid], checked.observed[source.object_guid]
        finding = find_regained_access(scan.mappers[source.type], source, link, found)
        drifted += [finding] if finding else []
    for source in kept:
        finding = await find_drifted_members(
            context, scan.mappers[source.type], source, links[source.object_guid]
        )
        drifted += [finding] if finding else []
    return DriftBatch(checked=len(own), findings=tuple(drifted))


async def scan_drift(context: CycleContext) -> AsyncIterator[DriftBatch]:
    """Yield the drift of the job's linked objects, batch by batch; write nothing.

    Hold the target lock meanwhile, so that no cycle writes there.
    """
    scan = DriftScan(
        context, build_mappers(context.program, context.clock()), Matcher(context)
    )
    after = ""
    try:
        while sources := await context.store.list_source_objects(
            context.key_name, context.job.target, after, BATCH
        ):
            yield await _compare_batch(scan, sources)
            after = sources[-1].object_guid
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
