"""Scopes and mappings."""

from __future__ import annotations

from typing import Literal

import msgspec

from cloudforest.model.program import Deprovision, FlowBehavior, FlowType, Scalar
from cloudforest.model.value import Value


class OneLevel(Value, frozen=True):
    """An OU of which only what lies directly in it is meant."""

    one_level: str


class Scope(Value, frozen=True):
    """`organizational_units` is a list of DNs, each of a subtree, or `all`."""

    name: str
    organizational_units: tuple[str | OneLevel, ...] | Literal["all"]
    excepted: tuple[str, ...] = msgspec.field(name="except", default=())
    groups: tuple[str, ...] = ()
    nested_groups: bool = False
    filters: dict[str, str] = msgspec.field(default_factory=dict)


class AttributeMapping(Value, frozen=True):
    """One entry of `attributeMappings`; one of source, constant, template is set."""

    source: str | None = None
    constant: Scalar = None
    template: str | None = None
    matching_priority: int = 0
    flow_type: FlowType = "Always"
    flow_behavior: FlowBehavior = "FlowWhenChanged"
    export_missing_references: bool = False
    default_value: Scalar = None
    when_null: Literal["clear", "keep"] = "clear"
    sensitive: bool = False


class Mapping(Value, frozen=True):
    name: str
    source_object_name: str
    target_object_name: str
    attribute_mappings: dict[str, AttributeMapping]
    deprovision: Deprovision
