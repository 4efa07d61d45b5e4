"""Functions on multi-valued attributes, numbers and kinds of values."""

from __future__ import annotations

from cloudforest.program.expressions.functions.values import (
    FALSE,
    TRUE,
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


def contains(value: Value, wanted: Value, how: Value = None) -> Value:
    """Return the position of the first value that holds a text, from 1; 0: none."""
    part = text(wanted)
    values = [text(each) for each in items(value)]
    if how == "vbTextCompare":
        part, values = part.lower(), [each.lower() for each in values]
    return next((n for n, each in enumerate(values, 1) if part in each), 0)


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
    if is_empty(left) or is_empty(right):
        return None
    return integer(left) & integer(right)


def is_null(value: Value) -> Value:
    return boolean(value is None)


def is_null_or_empty(value: Value) -> Value:
    return boolean(is_empty(value))


def is_present(value: Value) -> Value:
    return boolean(not is_empty(value))


def is_string(value: Value) -> Value:
    """Tell whether CStr gives a text: null and several values have none."""
    if value is None:
        return FALSE
    return boolean(not isinstance(value, tuple) or len(value) == 1)


def negation(value: Value) -> Value:
    """Turn `True`, in any case, into False, and other texts into True, as documented.

    A number that a function gives, as BitAnd does, is true unless it is 0.
    """
    if isinstance(value, str) and value.strip().lower() != "true":
        return TRUE
    return boolean(not truth(value))


def single_role(value: Value) -> Value:
    """Return the one role; which of several is meant, nobody can say."""
    values = items(value)
    if len(values) > 1:
        raise ValueFault("SingleAppRoleAssignment needs one role, and there are more.")
    return values[0] if values else None


def roles(value: Value) -> Value:
    return None if value is None else items(value)
