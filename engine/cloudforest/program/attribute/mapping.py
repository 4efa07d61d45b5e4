"""From a source row to the values wanted of a resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from cloudforest.model.program import AttributeProgram
from cloudforest.model.provisioning import Flat, SourceRow
from cloudforest.model.value import Value
from cloudforest.program.attribute.conversion import converter
from cloudforest.program.expressions.evaluate import (
    Evaluate,
    Row,
    compile_prepared,
    prepared,
)
from cloudforest.program.expressions.functions.values import is_empty, items, text
from cloudforest.program.faults import MappingFault, ValueFault

T = TypeVar("T")


class Desired(Value, frozen=True):
    """What one object should look like.

    `values`: SCIM path to JSON value, None for null. `references`: SCIM path to the
    objectGUIDs referred to, possibly none.
    """

    values: Flat
    references: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


def attributes(source: SourceRow) -> Row:
    """Return the attributes and the computed ones (`reads.COMPUTED`)."""
    computed = {"sourceanchor": source.anchor, "objectguid": source.id, "dn": source.dn}
    row = prepared(source.attributes)
    row.update(computed)
    return row


def _referred(value: Any) -> tuple[str, ...]:
    return tuple(text(each).lower() for each in items(value) if not is_empty(each))


def _evaluated(
    row: Row, rules: list[tuple[str, Evaluate, Callable[[Any], T]]]
) -> dict[str, T]:
    made = {}
    for path, evaluate, convert in rules:
        try:
            made[path] = convert(evaluate(row))
        except ValueFault as fault:
            raise MappingFault(path, fault.reason) from fault
    return made


def compile_program(program: AttributeProgram) -> Callable[[SourceRow], Desired]:
    """Compile into a function of source rows that raises MappingFault.

    An empty text is null: no directory attribute is empty, and no target should be told
    to keep an empty one.
    """
    plain: list[tuple[str, Evaluate, Callable[[Any], Any]]] = []
    references: list[tuple[str, Evaluate, Callable[[Any], tuple[str, ...]]]] = []
    for rule in program.rules:
        evaluate = compile_prepared(rule.expression)
        if rule.reference:
            references.append((rule.target, evaluate, _referred))
        else:
            plain.append((rule.target, evaluate, converter(rule)))

    def map_row(source: SourceRow) -> Desired:
        row = attributes(source)
        return Desired(
            values=_evaluated(row, plain), references=_evaluated(row, references)
        )

    return map_row
