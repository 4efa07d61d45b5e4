"""Programs as data: what a scope and its attribute mappings are compiled to.

They travel as JSON between compiler, agent and service; `cloudforest.program` gives
them their meaning. Directory attributes are named in lower case.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from cloudforest.base.values import Value

ObjectType = Literal["user", "group", "contact"]
Scalar = str | int | float | bool | None


# --- scope filters -------------------------------------------------------------------


class Compare(Value, frozen=True, tag_field="node", tag="compare"):
    """`attribute operator value`, for example `department eq "Sales"`."""

    attribute: str
    operator: Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "has"]
    value: Scalar


class Present(Value, frozen=True, tag_field="node", tag="present"):
    attribute: str


class ValuePath(Value, frozen=True, tag_field="node", tag="value-path"):
    """`attribute[operand]`: true if the operand holds for one of the values.

    `value` is the only name that the operand may use.
    """

    attribute: str
    operand: Filter


class And(Value, frozen=True, tag_field="node", tag="and"):
    operands: tuple[Filter, ...]


class Or(Value, frozen=True, tag_field="node", tag="or"):
    operands: tuple[Filter, ...]


class Not(Value, frozen=True, tag_field="node", tag="not"):
    operand: Filter


Filter = Compare | Present | ValuePath | And | Or | Not


class TypeFilter(Value, frozen=True):
    """The filter of one object type, as written and as parsed."""

    text: str
    tree: Filter


class ScopeProgram(Value, frozen=True):
    """Which objects of a domain belong to a job.

    `organizational_units` are subtrees; None selects the whole domain. `one_level` are
    OUs whose direct children are in scope. `excepted` are subtrees that are out of
    scope. `groups` is empty if membership does not matter. DNs are spelled as in the
    tree, and compare without case.
    """

    types: tuple[ObjectType, ...]
    organizational_units: tuple[str, ...] | None
    groups: tuple[str, ...] = ()
    nested_groups: bool = False
    filters: dict[ObjectType, TypeFilter] = msgspec.field(default_factory=dict)
    one_level: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()
    version: Literal[1] = 1

    @property
    def all_organizational_units(self) -> tuple[str, ...]:
        """All OUs that the scope names."""
        return (*(self.organizational_units or ()), *self.one_level, *self.excepted)


# --- expressions ---------------------------------------------------------------------


class Constant(Value, frozen=True, tag_field="node", tag="literal"):
    value: Scalar


class Attribute(Value, frozen=True, tag_field="node", tag="attribute"):
    """`[name]`: all values of a directory attribute."""

    name: str


class Call(Value, frozen=True, tag_field="node", tag="call"):
    """A function and its arguments; None is an empty argument."""

    function: str
    arguments: tuple[Expression | None, ...]


class Template(Value, frozen=True, tag_field="node", tag="template"):
    """A Jinja2 template, and the attributes that it reads."""

    text: str
    reads: tuple[str, ...]


Expression = Constant | Attribute | Call | Template

FlowType = Literal[
    "Always", "ObjectAddOnly", "MultiValueAddOnly", "ValueAddOnly", "AttributeAddOnly"
]
FlowBehavior = Literal["FlowWhenChanged", "FlowAlways"]

ValueType = Literal[
    "string", "boolean", "integer", "decimal", "dateTime", "binary", "reference"
]
"""RFC 7643, 2.3; a `reference` is the id of another resource, as in `manager`."""


class CompiledAttributeMapping(Value, frozen=True):
    """How one target attribute gets its value.

    `target` is a SCIM path. A `reference` rule yields objectGUIDs, which become
    resource ids once both ends exist. `multi` keeps all values. A `sensitive` value is
    written to the target and never shown. `type` is the declared type of a custom
    attribute; None: the type comes from the core schemas.
    """

    target: str
    expression: Expression
    text: str
    matching_priority: int = 0
    flow_type: FlowType = "Always"
    flow_behavior: FlowBehavior = "FlowWhenChanged"
    default_value: Scalar = None
    when_null: Literal["clear", "keep"] = "clear"
    export_missing_references: bool = False
    reference: bool = False
    multi: bool = False
    sensitive: bool = False
    type: ValueType | None = None


class Deprovision(Value, frozen=True):
    out_of_scope: Literal["disable", "delete", "keep"]
    deleted: Literal["disable", "delete", "keep"]


class AttributeProgram(Value, frozen=True):
    """How one type of source object becomes one type of target resource.

    `reads` are the directory attributes that the rules use: sorted, in lower case. The
    computed ones (`sourceanchor`, `dn`, `objectguid`) are never requested.
    """

    mapping: str
    source: ObjectType
    target: str
    rules: tuple[CompiledAttributeMapping, ...]
    reads: tuple[str, ...]
    deprovision: Deprovision
    version: Literal[1] = 1


class JobProgram(Value, frozen=True):
    """Everything that an agent and the service need to run a job."""

    scope: ScopeProgram
    mappings: tuple[AttributeProgram, ...]
