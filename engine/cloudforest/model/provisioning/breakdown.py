"""Whom a plan's effects touch: by attribute and by reason, without a value."""

from __future__ import annotations

from cloudforest.model.program import ObjectType
from cloudforest.model.value import Value


class AttributeCount(Value, frozen=True):
    """How many resources that exist get a value of an attribute, or lose it."""

    type: ObjectType
    attribute: str
    set: int = 0
    cleared: int = 0


class ReasonCount(Value, frozen=True):
    reason: str
    count: int


class LeaverCount(Value, frozen=True):
    """How many lose access for a reason, and how: `disable` or `delete`."""

    type: ObjectType
    action: str
    reason: str
    count: int


class Sample(Value, frozen=True):
    """One of those whom an action touches, by name, and why."""

    action: str
    name: str
    reason: str


class Breakdown(Value, frozen=True):
    """`leavers` lose access because they are out of scope or gone.

    What a guard would hold back is counted too: that is what has to be decided.
    `samples` is empty unless names were asked for.
    """

    attributes: tuple[AttributeCount, ...] = ()
    groups_emptied: int = 0
    leavers: tuple[LeaverCount, ...] = ()
    escrow_reasons: tuple[ReasonCount, ...] = ()
    samples: tuple[Sample, ...] = ()
