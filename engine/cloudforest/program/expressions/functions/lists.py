"""Functions on multi-valued attributes, numbers and kinds of values."""

from __future__ import annotations

from cloudforest.program.expressions.functions.values import (
    Value,
    boolean,
    integer,
    is_empty,
    items,
    text,
    truth,
)
from cloudforest.program.faults import ValueFault


def count(value: Value) -> Value:
    return len(items(value))


def item(value: Value, index: Value) -> Value:
    """Values count from 1; one that is not there is a fault, but null stays null."""
    if value is None:
        return None
    values, wanted = items(value), integer(index)
    if not 1 <= wanted <= len(values):
        raise ValueFault("Item asks for a value that the object does not have.")
    return values[wanted - 1]


def remove_duplicates(value: Value) -> Value:
    return None if value is None else tuple(dict.fromkeys(items(value)))


def to_text(value: Value) -> Value:
    return None if value is None else text(value)


def to_boolean(value: Value) -> Value:
    return boolean(truth(value))


def bit_and(left: Value, right: Value) -> Value:
    if left is None or right is None:
        return None
    return integer(left) & integer(right)


def is_null(value: Value) -> Value:
    return boolean(value is None)


def is_null_or_empty(value: Value) -> Value:
    return boolean(is_empty(value))


def is_present(value: Value) -> Value:
    return boolean(not is_empty(value))


def negation(value: Value) -> Value:
    return boolean(not truth(value))
