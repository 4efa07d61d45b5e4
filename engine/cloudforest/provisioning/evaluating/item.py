"""One object under evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import msgspec

from cloudforest.model.program import Rule
from cloudforest.model.provisioning import (
    PHASE_WRITE,
    Effect,
    Flat,
    Link,
    SourceRow,
    TargetResource,
)
from cloudforest.program.attribute import Desired
from cloudforest.program.expressions.reads import attributes_of
from cloudforest.program.faults import MappingFault
from cloudforest.provisioning.mapper import Mapper


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
    return replace(
        item,
        desired=msgspec.structs.replace(
            item.desired, values=item.desired.values | plain
        ),
        mapper=replace(item.mapper, references=others),
    )
