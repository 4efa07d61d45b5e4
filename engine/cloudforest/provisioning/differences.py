"""From one object to the write that its difference needs, without references.

One object under evaluation.
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
    clears,
)
from cloudforest.model.program import Rule
from cloudforest.model.source import Flat, Link, SourceRow, TargetResource
from cloudforest.program.attributes_read import attributes_of
from cloudforest.program.faults import MappingFault
from cloudforest.program.mapping.changes import changes, unchanged
from cloudforest.program.mapping.desired import Desired
from cloudforest.provisioning.mapper import ACTIVE, Mapper


@dataclass(frozen=True)
class Item:
    """One object, with all that is known of it.

    `prior` is what the outbox held for it; `matched` the resource it is to adopt, or
    is linked to and to be compared with. `chosen` are the unique values of a creation,
    or why there is none.
    """

    row: SourceRow
    mapper: Mapper
    desired: Desired
    link: Link | None = None
    prior: Effect | None = None
    matched: TargetResource | None = None
    chosen: Flat | MappingFault = field(default_factory=dict)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Return the rules that say something of this object."""
        rules, ignored = self.mapper.program.rules, self.desired.ignored
        if not ignored:
            return rules
        return tuple(each for each in rules if each.target not in ignored)

    @cached_property
    def digest(self) -> str:
        """What the object should look like, by which rules, and as which resource.

        What is drawn anew each time is no part of it.
        """
        resource = self.link.resource if self.link else None
        wanted = self.desired.values
        values = {
            path: wanted[path] for path in wanted if path not in self.mapper.drawn
        }
        whole: tuple[Any, ...] = (self.mapper.digest, resource, values)
        if self.desired.candidates:
            whole = (*whole, self.desired.candidates)
        return hashlib.sha256(msgspec.json.encode(whole)).hexdigest()

    def effect(self) -> Effect:
        """Return an effect that says nothing yet."""
        blank = blank_effect(self.row, self.mapper, self.link, self.prior)
        return msgspec.structs.replace(blank, desired=self.digest)


def blank_effect(
    row: SourceRow,
    mapper: Mapper,
    link: Link | None,
    prior: Effect | None,
) -> Effect:
    """Return an effect of an object that can't be mapped."""
    return Effect(
        key=row.id,
        id=row.id,
        type=row.type,
        resource_type=mapper.resource_type,
        action="update" if link else "create",
        phase=PHASE_WRITE,
        anchor=row.anchor,
        resource=link.resource if link else None,
        sent=prior is not None and prior.sent and link is None,
    )


def identifier(value: Any) -> str | None:
    """Return the id in a reference as a target shows it."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return value if isinstance(value, str) and value else None


def as_written(item: Item, link: Link) -> Item:
    """Return the object with what we last wrote where nobody knows what to write.

    That is so for an object that comes back, or is linked by another job, and does not
    show an attribute that it may have.
    """
    lost = frozenset(item.row.doubted) - item.row.attributes.keys()
    if not lost:
        return item

    def rests(rule: Rule) -> bool:
        return not lost.isdisjoint(attributes_of(rule.expression))

    rules = [each for each in item.mapper.program.rules if rests(each)]
    paths = frozenset(each.target for each in rules)
    kept = {each.target: link.written.get(each.target) for each in rules}
    plain = {path: kept[path] for path in item.desired.values.keys() & paths}
    references = item.mapper.references.items()
    others = {path: rule for path, rule in references if path not in paths}
    return dataclasses_replace(
        item,
        desired=msgspec.structs.replace(
            item.desired, values=item.desired.values | plain
        ),
        mapper=dataclasses_replace(item.mapper, references=others),
    )


ANCHOR = "externalId"
"""What proves that a resource is ours, if we write it."""


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
