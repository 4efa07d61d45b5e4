"""Functions on lists, numbers, kinds of values and references; random values."""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Sequence

from cloudforest.program.expressions.function import (
    COMPARE_TYPE,
    FunctionTable,
    Parameter,
)
from cloudforest.program.expressions.values import (
    TRUE,
    Value,
    as_boolean,
    as_integer,
    as_items,
    as_text,
    is_empty,
    is_true,
)
from cloudforest.program.faults import ValueFault

MAX_RANDOM_LENGTH = 256
"""The documented maximum."""
_CHARACTER_CLASSES = (
    string.digits,
    string.punctuation,
    string.ascii_uppercase,
    string.ascii_lowercase,
)
TABLE = FunctionTable()
_ANY = Parameter("expression")
_VALUES = Parameter("attribute", "values")
_ROLES = Parameter("appRoleAssignments", "values")


@TABLE.eager("Count", _VALUES, gives="number")
def count(value: Value) -> Value:
    """Count the values of an attribute."""
    return len(as_items(value))


@TABLE.eager(
    "Contains", _VALUES, Parameter("search", "text"), COMPARE_TYPE, gives="number"
)
def contains(value: Value, search: Value, how: Value = None) -> Value:
    """Return the position of the first value that contains a text, from 1, or 0."""
    part = as_text(search)
    values = [as_text(each) for each in as_items(value)]
    if how == "vbTextCompare":
        part, values = part.lower(), [each.lower() for each in values]
    return next((n for n, each in enumerate(values, 1) if part in each), 0)


@TABLE.eager("Item", _VALUES, Parameter("index", "number"), gives="any")
def item(value: Value, index: Value) -> Value:
    """Return the value at a position, counted from 1."""
    if value is None:
        return None
    values, position = as_items(value), as_integer(index)
    if not 1 <= position <= len(values):
        raise ValueFault("Item: the object has no value at this position.")
    return values[position - 1]


@TABLE.eager("RemoveDuplicates", _VALUES, gives="values")
def remove_duplicates(value: Value) -> Value:
    """Remove repeated values."""
    return None if value is None else tuple(dict.fromkeys(as_items(value)))


@TABLE.eager("CRef", Parameter("value", "text"), gives="reference")
def to_reference(value: Value) -> Value:
    """Convert a text to a reference."""
    return None if value is None else as_text(value)


@TABLE.eager("CStr", Parameter("value"), gives="text")
def to_text(value: Value) -> Value:
    """Convert a value to a text."""
    return None if value is None else as_text(value)


@TABLE.eager("CBool", _ANY, gives="boolean")
def to_boolean(value: Value) -> Value:
    """Test whether a value is true."""
    return as_boolean(is_true(value))


@TABLE.eager(
    "BitAnd",
    Parameter("value1", "number"),
    Parameter("value2", "number"),
    gives="number",
)
def bit_and(left: Value, right: Value) -> Value:
    """Return the bits that are set in both numbers."""
    if is_empty(left) or is_empty(right):
        return None
    return as_integer(left) & as_integer(right)


@TABLE.eager("IsNull", _ANY, gives="boolean")
def is_null(value: Value) -> Value:
    """Test whether a value is null."""
    return as_boolean(value is None)


@TABLE.eager("IsNullOrEmpty", _ANY, gives="boolean")
def is_null_or_empty(value: Value) -> Value:
    """Test whether a value is null or empty."""
    return as_boolean(is_empty(value))


@TABLE.eager("IsPresent", _ANY, gives="boolean")
def is_present(value: Value) -> Value:
    """Test whether a value is neither null nor empty."""
    return as_boolean(not is_empty(value))


@TABLE.eager("IsString", _ANY, gives="boolean")
def is_string(value: Value) -> Value:
    """Test whether a value can be converted to a text.

    CStr returns no text for null and several values.
    """
    is_single = not isinstance(value, tuple) or len(value) == 1
    return as_boolean(is_single and value is not None)


@TABLE.eager("Not", Parameter("source"), gives="boolean")
def negate(value: Value) -> Value:
    """Return False for true, and True for anything else.

    `True` in any case is true, and other texts are not, as documented. A number from a
    function, such as BitAnd, is true unless it is 0.
    """
    if isinstance(value, str) and value.strip().lower() != "true":
        return TRUE
    return as_boolean(not is_true(value))


@TABLE.eager("SingleAppRoleAssignment", _ROLES, gives="text")
def single_role(value: Value) -> Value:
    """Return a person's only app role; reject the object if it has several."""
    values = as_items(value)
    if len(values) > 1:
        raise ValueFault("SingleAppRoleAssignment: the object has several roles.")
    return values[0] if values else None


@TABLE.eager("AppRoleAssignmentsComplex", _ROLES, gives="values")
def roles(value: Value) -> Value:
    """Return all app roles of a person."""
    return None if value is None else as_items(value)


@TABLE.eager("Guid", gives="text", impure=True)
def make_guid() -> Value:
    """Return a random GUID."""
    return str(uuid.uuid4())


def _to_minimum(value: Value) -> int:
    count = 0 if value is None else as_integer(value)
    if count < 0:
        raise ValueFault("RandomString does not accept negative numbers.")
    return count


def _choose_characters(
    alphabets: Sequence[str], counts: Sequence[int], length: int
) -> list[str]:
    made = []
    for alphabet, count in zip(alphabets, counts, strict=True):
        if count and not alphabet:
            raise ValueFault(
                "RandomString: charactersToAvoid excludes a whole kind of characters."
            )
        made += [secrets.choice(alphabet) for _ in range(count)]
    everything = "".join(alphabets)
    if len(made) < length and not everything:
        raise ValueFault("RandomString: charactersToAvoid excludes all characters.")
    return made + [secrets.choice(everything) for _ in range(length - len(made))]


@TABLE.eager(
    "RandomString",
    Parameter("length", "number"),
    Parameter("minimumNumbers", "number"),
    Parameter("minimumSpecialCharacters", "number"),
    Parameter("minimumCapital", "number"),
    Parameter("minimumLowerCase", "number"),
    Parameter("charactersToAvoid", "text", optional=True),
    gives="text",
    impure=True,
)
def make_random_string(
    length: Value,
    digits: Value,
    special: Value,
    upper: Value,
    lower: Value,
    avoid: Value = None,
) -> Value:
    """Return a random text of at most 256 characters."""
    total = _to_minimum(length)
    if total > MAX_RANDOM_LENGTH:
        message = f"RandomString returns at most {MAX_RANDOM_LENGTH} characters."
        raise ValueFault(message)
    counts = [_to_minimum(each) for each in (digits, special, upper, lower)]
    if sum(counts) > total:
        raise ValueFault("RandomString: the minimums exceed the length.")
    avoided = set(as_text(avoid))
    alphabets = ["".join(c for c in s if c not in avoided) for s in _CHARACTER_CLASSES]
    made = _choose_characters(alphabets, counts, total)
    secrets.SystemRandom().shuffle(made)
    return "".join(made)
