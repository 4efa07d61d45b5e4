"""Compare a candidate with its last written or observed values, and build its write.

References are not part of this write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as dataclasses_replace
from functools import cached_property
from typing import Any

import msgspec
from msgspec.structs import replace

from cloudforest.model.effects import (
    PHASE_DEPROVISION,
    PHASE_WRITE,
    Action,
    Change,
    Effect,
)
from cloudforest.model.program import CompiledAttributeMapping
from cloudforest.model.source import (
    FlatResource,
    Link,
    Origin,
    SourceObject,
    TargetResource,
)
from cloudforest.program.expressions.analysis import find_expression_attributes
from cloudforest.program.faults import MappingFault
from cloudforest.program.mapping.changes import compute_changes, find_flow_always
from cloudforest.program.mapping.desired import DesiredValues
from cloudforest.provisioning.mapper import ACTIVE, Mapper

EXTERNAL_ID = "externalId"
"""Proves that a resource is ours, if we write it."""


@dataclass(frozen=True)
class Candidate:
    """One object under evaluation, with all that is known about it.

    `previous` is the effect that the outbox already has for it. `observed` is the
    resource to adopt or, for a linked object, to compare with. `unique_values` are for
    a creation; a fault says why they are missing.
    """

    source: SourceObject
    mapper: Mapper
    desired: DesiredValues
    link: Link | None = None
    previous: Effect | None = None
    observed: TargetResource | None = None
    unique_values: FlatResource | MappingFault = field(default_factory=dict)

    @property
    def object_guid(self) -> str:
        return self.source.object_guid

    @property
    def attribute_mappings(self) -> tuple[CompiledAttributeMapping, ...]:
        """The attribute mappings that yield a value for this object."""
        rules, ignored = self.mapper.program.rules, self.desired.ignored
        if not ignored:
            return rules
        return tuple(each for each in rules if each.target not in ignored)

    @cached_property
    def desired_digest(self) -> str:
        """The digest of mappings, resource and desired values, except random ones."""
        resource = self.link.resource if self.link else None
        values = {
            path: value
            for path, value in self.desired.values.items()
            if path not in self.mapper.random_paths
        }
        content: tuple[Any, ...] = (self.mapper.digest, resource, values)
        if self.desired.candidates:
            content = (*content, self.desired.candidates)
        return hashlib.sha256(msgspec.json.encode(content)).hexdigest()

    def build_effect(self, **fields: Any) -> Effect:
        """Return an effect of the object with these fields."""
        blank = build_blank_effect(self.source, self.mapper, self.link, self.previous)
        return replace(blank, desired=self.desired_digest, **fields)


def build_blank_effect(
    source: SourceObject, mapper: Mapper, link: Link | None, previous: Effect | None
) -> Effect:
    """Return an effect without any change, also of an object that cannot be mapped."""
    return Effect(
        key=source.object_guid,
        id=source.object_guid,
        type=source.type,
        resource_type=mapper.resource_type,
        action="update" if link else "create",
        phase=PHASE_WRITE,
        anchor=source.source_anchor,
        resource=link.resource if link else None,
        sent=previous is not None and previous.sent and link is None,
    )


def get_reference_id(value: Any) -> str | None:
    """Return the id in a reference as the target returns it."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return value if isinstance(value, str) and value else None


def with_last_written(candidate: Candidate, link: Link) -> Candidate:
    """Keep the last written values that rest on hidden attributes of unknown value.

    The former values of a hidden attribute are unknown if the object comes back into
    scope, or if another job linked it.
    """
    unknown = frozenset(candidate.source.hidden) - candidate.source.attributes.keys()
    if not unknown:
        return candidate
    rules = [
        each
        for each in candidate.mapper.program.rules
        if not unknown.isdisjoint(find_expression_attributes(each.expression))
    ]
    paths = frozenset(each.target for each in rules)
    kept = {each.target: link.last_written.get(each.target) for each in rules}
    plain = {path: kept[path] for path in candidate.desired.values.keys() & paths}
    references = candidate.mapper.reference_mappings.items()
    others = {path: rule for path, rule in references if path not in paths}
    return dataclasses_replace(
        candidate,
        desired=replace(candidate.desired, values=candidate.desired.values | plain),
        mapper=dataclasses_replace(candidate.mapper, reference_mappings=others),
    )


def _changes_active_to(changed: Sequence[Change], *, active: bool) -> bool:
    return any(
        each.path == ACTIVE and each.after is active and each.before is not active
        for each in changed
    )


def find_budgets(mapper: Mapper, changed: Sequence[Change]) -> tuple[str, ...]:
    """Return the budgets that count a write to an existing resource."""
    keys = {rule.target for rule in mapper.matching_mappings}
    counted = {
        "disables": _changes_active_to(changed, active=False),
        "attributesBlanked": any(each.clears for each in changed),
        "rekeys": any(
            each.path in keys and each.before not in (None, each.after)
            for each in changed
        ),
    }
    return tuple(name for name, counts in counted.items() if counts)


def _is_own_creation(candidate: Candidate, found: TargetResource) -> bool:
    """Return whether we created the resource, but did not get or store the answer."""
    anchor = candidate.desired.values.get(EXTERNAL_ID)
    sent = candidate.previous is not None and candidate.previous.sent
    return sent and anchor is not None and found.values.get(EXTERNAL_ID) == anchor


def compare_with_observed(
    mapper: Mapper,
    desired: FlatResource,
    observed: TargetResource,
    written_paths: Collection[str] = (),
) -> tuple[Change, ...]:
    """Compare the desired values with the resource; clear only what we wrote.

    `written_paths` are the paths that we wrote. The result has a change for each
    desired path. `before` and `after` are equal where nothing differs, where the flow
    type keeps the existing value, and for the mapper's `whole_paths`, whose other parts
    are not ours.
    """
    found = observed.values
    values = {path: value for path, value in desired.items() if value is not None}
    paths = (*values, *written_paths, *mapper.whole_paths)
    before = {path: found[path] for path in paths if path in found}
    rules = mapper.program.rules
    changed = compute_changes(before, values, rules, creating=False, other_values=found)
    same = {
        path: Change(path=path, before=before[path], after=before[path])
        for path in (*values, *mapper.whole_paths)
        if path in before
    }
    return tuple((same | {each.path: each for each in changed}).values())


def _build_adoption(candidate: Candidate, observed: TargetResource) -> Effect:
    written = candidate.link.last_written if candidate.link else {}
    written_paths = [path for path in written if path not in candidate.desired.ignored]
    changes = compare_with_observed(
        candidate.mapper, candidate.desired.values, observed, written_paths
    )
    # References that the target already has need no write.
    references = (
        Change(path=path, before=value, after=value)
        for path, guids in candidate.desired.references.items()
        if guids
        and path in candidate.mapper.reference_mappings
        and (value := get_reference_id(observed.values.get(path)))
    )
    return candidate.build_effect(
        action="create" if _is_own_creation(candidate, observed) else "adopt",
        resource=observed.id,
        changes=(*changes, *references),
        guards=find_budgets(candidate.mapper, changes),
    )


def _build_update(candidate: Candidate, link: Link) -> Effect | None:
    before = {
        path: value
        for path, value in link.last_written.items()
        if path not in candidate.mapper.reference_mappings
    }
    changed = compute_changes(
        before, candidate.desired.values, candidate.attribute_mappings, creating=False
    )
    if ACTIVE not in candidate.mapper.paths and link.last_written.get(ACTIVE) is False:
        # We disabled it, and no mapping writes `active`.
        changed += (Change(path=ACTIVE, before=False, after=True),)
    if not changed:
        return None
    changed += find_flow_always(
        changed, candidate.desired.values, candidate.attribute_mappings
    )
    action: Action = "update"
    if _changes_active_to(changed, active=False):
        action = "disable"
    elif any(each.path == ACTIVE and each.before is False for each in changed):
        action = "enable"
    return candidate.build_effect(
        action=action,
        phase=PHASE_DEPROVISION if action == "disable" else PHASE_WRITE,
        changes=changed,
        guards=find_budgets(candidate.mapper, changed),
    )


def build_write(candidate: Candidate) -> Effect | None:
    """Return the write that the object needs, or None; may raise MappingFault."""
    if candidate.observed is not None:
        return _build_adoption(candidate, candidate.observed)
    if candidate.link is not None:
        return _build_update(candidate, candidate.link)
    if isinstance(candidate.unique_values, MappingFault):
        raise candidate.unique_values
    values = candidate.desired.values | candidate.unique_values
    changes = compute_changes({}, values, candidate.attribute_mappings, creating=True)
    return candidate.build_effect(changes=changes, guards=("creates",))


def build_link(
    effect: Effect, resource: str, written: FlatResource, link: Link | None
) -> Link:
    """Return the link to store after a write; `link` is the one before."""
    new_origin: Origin = "created" if effect.action == "create" else "adopted"
    return Link(
        object_guid=effect.id,
        type=effect.type,
        resource=resource,
        resource_type=effect.resource_type,
        origin=link.origin if link else new_origin,
        source_anchor=effect.anchor,
        last_written=written,
        checked=effect.action == "adopt" or link is None or link.checked,
    )


def apply_changes(written: FlatResource, changes: Sequence[Change]) -> FlatResource:
    """Return the written values after these changes."""
    after = dict(written)
    for change in changes:
        if change.after is None:
            after.pop(change.path, None)
        else:
            after[change.path] = change.after
    return after
