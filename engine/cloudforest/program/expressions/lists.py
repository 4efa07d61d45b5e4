"""Functions on lists, numbers, kinds of values and references; random values."""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Sequence

from cloudforest.program.expressions import encodings
from cloudforest.program.expressions.function import (
    Function,
    Parameter,
    build_eager,
    build_per_text,
)
from cloudforest.program.expressions.texts import COMPARE_TYPES
from cloudforest.program.expressions.values import (
    FALSE,
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
_ANY = Parameter("expression", "any")
_VALUES = Parameter("attribute", "values")
_ROLES = Parameter("appRoleAssignments", "values")


def count(value: Value) -> Value:
    return len(as_items(value))


def contains(value: Value, search: Value, how: Value = None) -> Value:
    """Return the position (from 1) of the first value that contains a text, or 0."""
    part = as_text(search)
    values = [as_text(each) for each in as_items(value)]
    if how == "vbTextCompare":
        part, values = part.lower(), [each.lower() for each in values]
    return next((n for n, each in enumerate(values, 1) if part in each), 0)


def item(value: Value, index: Value) -> Value:
    """Return a value by its position, from 1; null stays null."""
    if value is None:
        return None
    values, position = as_items(value), as_integer(index)
    if not 1 <= position <= len(values):
        raise ValueFault("Item: the object has no value at this position.")
    return values[position - 1]


def remove_duplicates(value: Value) -> Value:
    return None if value is None else tuple(dict.fromkeys(as_items(value)))


def to_text(value: Value) -> Value:
    return None if value is None else as_text(value)


def to_boolean(value: Value) -> Value:
    return as_boolean(is_true(value))


def bit_and(left: Value, right: Value) -> Value:
    if is_empty(left) or is_empty(right):
        return None
    return as_integer(left) & as_integer(right)


def is_null(value: Value) -> Value:
    return as_boolean(value is None)


def is_null_or_empty(value: Value) -> Value:
    return as_boolean(is_empty(value))


def is_present(value: Value) -> Value:
    return as_boolean(not is_empty(value))


def is_string(value: Value) -> Value:
    """Tell whether CStr returns a text; it does not for null and several values."""
    if value is None:
        return FALSE
    return as_boolean(not isinstance(value, tuple) or len(value) == 1)


def negate(value: Value) -> Value:
    """Return False for `True` in any case, and True for other texts, as documented.

    A number from a function, such as BitAnd, is true unless it is 0.
    """
    if isinstance(value, str) and value.strip().lower() != "true":
        return TRUE
    return as_boolean(not is_true(value))


def single_role(value: Value) -> Value:
    """Return the only role; several are a fault."""
    values = as_items(value)
    if len(values) > 1:
        raise ValueFault("SingleAppRoleAssignment: the object has several roles.")
    return values[0] if values else None


def roles(value: Value) -> Value:
    return None if value is None else as_items(value)


def make_guid() -> Value:
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


def make_random_string(
    length: Value,
    *minimums: Value,
) -> Value:
    """Return a random text.

    The minimums count digits, special characters, upper-case and lower-case letters. A
    fifth argument after the length contains characters to avoid.
    """
    total = _to_minimum(length)
    if total > MAX_RANDOM_LENGTH:
        raise ValueFault(
            f"RandomString returns at most {MAX_RANDOM_LENGTH} characters."
        )
    counts = [_to_minimum(each) for each in minimums[: len(_CHARACTER_CLASSES)]]
    if sum(counts) > total:
        raise ValueFault("RandomString: the minimums exceed the length.")
    avoided = (
        set(as_text(minimums[-1])) if len(minimums) > len(_CHARACTER_CLASSES) else set()
    )
    alphabets = [
        "".join(c for c in each if c not in avoided) for each in _CHARACTER_CLASSES
    ]
    made = _choose_characters(alphabets, counts, total)
    secrets.SystemRandom().shuffle(made)
    return "".join(made)


VALUE_FUNCTIONS = (
    Function(
        "AppRoleAssignmentsComplex",
        (_ROLES,),
        "values",
        "Return all app roles of a person.",
        build_eager(roles),
    ),
    Function(
        "BitAnd",
        (Parameter("value1", "number"), Parameter("value2", "number")),
        "number",
        "Return the bits that are set in both numbers.",
        build_eager(bit_and),
    ),
    Function(
        "CBool",
        (_ANY,),
        "boolean",
        "Test whether a value is true.",
        build_eager(to_boolean),
    ),
    Function(
        "Contains",
        (
            _VALUES,
            Parameter("search", "text"),
            Parameter("compareType", "text", optional=True, choice=COMPARE_TYPES),
        ),
        "number",
        "Return the position of the first value that contains a text, from 1, or 0.",
        build_eager(contains),
    ),
    Function(
        "Count",
        (_VALUES,),
        "number",
        "Count the values of an attribute.",
        build_eager(count),
    ),
    Function(
        "CRef",
        (Parameter("value", "text"),),
        "reference",
        "Convert a text to a reference.",
        build_eager(to_text),
    ),
    Function(
        "CStr",
        (Parameter("value", "any"),),
        "text",
        "Convert a value to a text.",
        build_eager(to_text),
    ),
    Function(
        "DNComponent",
        (Parameter("reference", "reference"), Parameter("number", "number")),
        "text",
        "Return the value of a component of a DN, counted from 1 from the left.",
        build_eager(encodings.dn_component),
    ),
    Function(
        "Guid",
        (),
        "text",
        "Return a random GUID.",
        build_eager(make_guid),
        impure=True,
    ),
    Function(
        "IsNull",
        (_ANY,),
        "boolean",
        "Test whether a value is null.",
        build_eager(is_null),
    ),
    Function(
        "IsNullOrEmpty",
        (_ANY,),
        "boolean",
        "Test whether a value is null or empty.",
        build_eager(is_null_or_empty),
    ),
    Function(
        "IsPresent",
        (_ANY,),
        "boolean",
        "Test whether a value is neither null nor empty.",
        build_eager(is_present),
    ),
    Function(
        "IsString",
        (_ANY,),
        "boolean",
        "Test whether a value can be converted to a text.",
        build_eager(is_string),
    ),
    Function(
        "Item",
        (_VALUES, Parameter("index", "number")),
        "any",
        "Return the value at a position, counted from 1.",
        build_eager(item),
    ),
    Function(
        "Not",
        (Parameter("source", "any"),),
        "boolean",
        "Return False for true, and True for anything else.",
        build_eager(negate),
    ),
    Function(
        "RandomString",
        (
            Parameter("length", "number"),
            Parameter("minimumNumbers", "number"),
            Parameter("minimumSpecialCharacters", "number"),
            Parameter("minimumCapital", "number"),
            Parameter("minimumLowerCase", "number"),
            Parameter("charactersToAvoid", "text", optional=True),
        ),
        "text",
        f"Return a random text of at most {MAX_RANDOM_LENGTH} characters.",
        build_eager(make_random_string),
        impure=True,
    ),
    Function(
        "RemoveDuplicates",
        (_VALUES,),
        "values",
        "Remove repeated values.",
        build_eager(remove_duplicates),
    ),
    Function(
        "SingleAppRoleAssignment",
        (_ROLES,),
        "text",
        "Return a person's only app role; reject the object if it has several.",
        build_eager(single_role),
    ),
    Function(
        "StringFromSid",
        (Parameter("objectSid", "values"),),
        "values",
        "Convert a security identifier (SID) to its text, S-1-5-….",
        build_per_text(encodings.format_sid),
    ),
)
