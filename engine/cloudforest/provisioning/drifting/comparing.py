"""Compares one object three ways: desired, last written, and as the target holds it.

What would be written if we had written what the target holds, is what drifted; but not
what is as we wrote it: that is a change on its way. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace as altered
from typing import Any

from msgspec.structs import replace

from cloudforest.model.provisioning import Change, Flat, Link, SourceRow, TargetResource
from cloudforest.program.attribute import changes, same
from cloudforest.program.faults import MappingFault
from cloudforest.provisioning.drifting.drift import Cause, Differing
from cloudforest.provisioning.evaluating.item import Item, identifier
from cloudforest.provisioning.evaluating.lost import deprovision
from cloudforest.provisioning.evaluating.relations.references import Ends, reference
from cloudforest.provisioning.exporting.sending import rewritten
from cloudforest.provisioning.mapper import ACTIVE, Mapper

NEVER_RETURNED = frozenset({"password"})
"""No service shows it to anybody (RFC 7643, 4.1.1: `returned` is `never`)."""


def _as_held(item: Item, link: Link, found: TargetResource) -> Link:
    """Return the link as if what the target holds had been written by us."""
    unseen = item.mapper.drawn | NEVER_RETURNED
    paths = [path for path in item.mapper.paths if path not in unseen]
    kept = {path: value for path, value in link.written.items() if path not in paths}
    held = {path: found.values[path] for path in paths if path in found.values}
    for path in item.mapper.references:
        held[path] = identifier(held.get(path))
    held = {path: value for path, value in held.items() if value is not None}
    return replace(link, written=kept | held)


def _needed(item: Item, held: Link, ends: Ends) -> Iterator[Change]:
    """Yield what would be written over what the target holds."""
    references = item.mapper.references
    before = {p: v for p, v in held.written.items() if p not in references}
    try:
        yield from changes(before, item.desired.values, item.rules, creating=False)
    except MappingFault:
        return
    effect = reference(altered(item, link=held), None, ends=ends)
    for each in effect.references if effect else ():
        to = ends.resources.get(each.to, each.to) if each.to else None
        yield Change(path=each.path, before=each.before, after=to)


def _cause(desired: Any, written: Any, actual: Any) -> Cause:
    if actual is None and (written is None or same(written, desired)):
        return "never arrived"
    return "changed outside"


def _has_drifted(change: Change, written: Flat) -> bool:
    """Leave out what is on its way, and what is not ours to clear."""
    if same(change.before, change.after):
        return False
    ours = written.get(change.path)
    if ours is None:
        return change.after is not None
    return not same(change.before, ours)


def _differing(change: Change, written: Flat) -> Differing:
    ours = written.get(change.path)
    return Differing(
        path=change.path,
        desired=change.after,
        written=ours,
        actual=change.before,
        cause=_cause(change.after, ours, change.before),
    )


def _plain(item: Item, link: Link) -> Flat:
    """Return what we wrote, references as resource ids."""
    ids = {
        path: identifier(link.written[path])
        for path in item.mapper.references
        if path in link.written
    }
    return link.written | ids


def compare(
    item: Item, link: Link, found: TargetResource, ends: Ends
) -> tuple[tuple[Differing, ...], Link]:
    """Return what drifted of an object in scope, and its link as the target has it."""
    written = _plain(item, link)
    needed = _needed(item, _as_held(item, link, found), ends)
    drifted = [each for each in needed if _has_drifted(each, written)]
    found_so = [Change(path=each.path, after=each.before) for each in drifted]
    held = replace(link, written=rewritten(link.written, found_so))
    return tuple(_differing(each, written) for each in drifted), held


def compare_lost(
    row: SourceRow, mapper: Mapper, link: Link, found: TargetResource
) -> tuple[tuple[Differing, ...], Link]:
    """Return whether somebody gave access back to one whose access we took away."""
    held = replace(link, written=link.written | {ACTIVE: True})
    effect = deprovision(row, mapper, held)
    if (
        link.written.get(ACTIVE) is not False
        or found.values.get(ACTIVE) is not True
        or effect is None
        or effect.action != "disable"
    ):
        return (), link
    change = Change(path=ACTIVE, before=True, after=False)
    return (_differing(change, link.written),), held
