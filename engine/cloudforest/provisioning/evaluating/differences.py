"""From one object to the write that its difference needs, without references."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from cloudforest.model.provisioning import (
    PHASE_DEPROVISION,
    PHASE_WRITE,
    Action,
    Change,
    Effect,
    Flat,
    Link,
    TargetResource,
)
from cloudforest.program.attribute import changes, unchanged
from cloudforest.program.faults import MappingFault
from cloudforest.provisioning.evaluating.item import Item, identifier
from cloudforest.provisioning.mapper import ACTIVE, Mapper

ANCHOR = "externalId"
"""What proves that a resource is ours, if we write it."""


def clears(change: Change) -> bool:
    return change.after is None and change.before is not None


def _sets_active(changed: Sequence[Change], *, active: bool) -> bool:
    return any(
        each.path == ACTIVE and each.after is active and each.before is not active
        for each in changed
    )


def _action(changed: Sequence[Change]) -> Action:
    if _sets_active(changed, active=False):
        return "disable"
    if any(each.path == ACTIVE and each.before is False for each in changed):
        return "enable"
    return "update"


def guards(mapper: Mapper, changed: Sequence[Change]) -> tuple[str, ...]:
    """Name the budgets that count a write to a resource that exists."""
    keys = {rule.target for rule in mapper.matching}
    counted = {
        "disables": _sets_active(changed, active=False),
        "attributesBlanked": any(clears(each) for each in changed),
        "rekeys": any(
            each.path in keys and each.before not in (None, each.after)
            for each in changed
        ),
    }
    return tuple(name for name, counts in counted.items() if counts)


def _creation(item: Item) -> Effect:
    """Create with the unique values that were chosen; raises MappingFault for none."""
    if isinstance(item.chosen, MappingFault):
        raise item.chosen
    values = item.desired.values | item.chosen
    return replace(
        item.effect(),
        changes=changes({}, values, item.rules, creating=True),
        guards=("creates",),
    )


def _is_ours(item: Item, found: TargetResource) -> bool:
    """Tell whether we created what was found, and were not told or did not store it."""
    anchor = item.desired.values.get(ANCHOR)
    sent = item.prior is not None and item.prior.sent
    return sent and anchor is not None and found.values.get(ANCHOR) == anchor


def _found_references(item: Item, found: TargetResource) -> tuple[Change, ...]:
    """Keep what the target already says, so that it is not written once more."""
    pairs = (
        (path, identifier(found.values.get(path)))
        for path, guids in item.desired.references.items()
        if guids and path in item.mapper.references
    )
    return tuple(
        Change(path=path, before=value, after=value) for path, value in pairs if value
    )


def adopted_changes(
    mapper: Mapper, desired: Flat, found: TargetResource, ours: Collection[str] = ()
) -> tuple[Change, ...]:
    """Compare with what the target holds, but clear nothing that we never wrote.

    `ours` are the paths that we did write. All that is desired is returned; `before`
    and `after` are equal where it is so, or where the rule leaves alone what is there;
    so are those of `wholes`, that it be remembered whose the rest of them is.
    """
    wholes = [path for path in mapper.wholes if path in found.values]
    values = {path: value for path, value in desired.items() if value is not None}
    known = [path for path in {**values, **dict.fromkeys(ours)} if path in found.values]
    before = {path: found.values[path] for path in (*known, *wholes)}
    rules, others = mapper.program.rules, found.values
    changed = changes(before, values, rules, creating=False, others=others)
    differing = {each.path: each for each in changed}
    same = {
        path: Change(path=path, before=before[path], after=before[path])
        for path in (*values, *wholes)
        if path in before
    }
    return tuple((same | differing).values())


def _adoption(item: Item, found: TargetResource) -> Effect:
    written = item.link.written if item.link else {}
    ours = [path for path in written if path not in item.desired.ignored]
    whole = adopted_changes(item.mapper, item.desired.values, found, ours)
    return replace(
        item.effect(),
        action="create" if _is_ours(item, found) else "adopt",
        resource=found.id,
        changes=(*whole, *_found_references(item, found)),
        guards=guards(item.mapper, whole),
    )


def _returned(mapper: Mapper, link: Link) -> tuple[Change, ...]:
    """Enable who was deprovisioned, where no rule of the mapping does."""
    if ACTIVE in mapper.paths or link.written.get(ACTIVE) is not False:
        return ()
    return (Change(path=ACTIVE, before=False, after=True),)


def _difference(item: Item, link: Link) -> Effect | None:
    before = {
        path: value
        for path, value in link.written.items()
        if path not in item.mapper.references
    }
    changed = changes(before, item.desired.values, item.rules, creating=False)
    changed += _returned(item.mapper, link)
    if not changed:
        return None
    changed += unchanged(changed, item.desired.values, item.rules)
    action = _action(changed)
    return replace(
        item.effect(),
        action=action,
        phase=PHASE_DEPROVISION if action == "disable" else PHASE_WRITE,
        changes=changed,
        guards=guards(item.mapper, changed),
    )


def write(item: Item) -> Effect | None:
    """Return the write that the object needs; None: none."""
    if item.matched is not None:
        return _adoption(item, item.matched)
    if item.link is not None:
        return _difference(item, item.link)
    return _creation(item)
