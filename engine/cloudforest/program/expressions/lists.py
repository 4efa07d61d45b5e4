"""Functions on several values, numbers, kinds of values and references.

Functions on multi-valued attributes, numbers and kinds of values.

Functions that make what was not there: random texts and GUIDs.
"""

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


def count(value: Value) -> Value:
    return len(as_items(value))


def contains(value: Value, wanted: Value, how: Value = None) -> Value:
    """Return the position of the first value that holds a text, from 1; 0: none."""
    part = as_text(wanted)
    values = [as_text(each) for each in as_items(value)]
    if how == "vbTextCompare":
        part, values = part.lower(), [each.lower() for each in values]
    return next((n for n, each in enumerate(values, 1) if part in each), 0)


def item(value: Value, index: Value) -> Value:
    """Values count from 1; one that is not there is a fault, but null stays null."""
    if value is None:
        return None
    values, wanted = as_items(value), as_integer(index)
    if not 1 <= wanted <= len(values):
        raise ValueFault("Item asks for a value that the object does not have.")
    return values[wanted - 1]


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
    """Tell whether CStr gives a text: null and several values have none."""
    if value is None:
        return FALSE
    return as_boolean(not isinstance(value, tuple) or len(value) == 1)


def negate(value: Value) -> Value:
    """Turn `True`, in any case, into False, and other texts into True, as documented.

    A number that a function gives, as BitAnd does, is true unless it is 0.
    """
    if isinstance(value, str) and value.strip().lower() != "true":
        return TRUE
    return as_boolean(not is_true(value))


def single_role(value: Value) -> Value:
    """Return the one role; which of several is meant, nobody can say."""
    values = as_items(value)
    if len(values) > 1:
        raise ValueFault("SingleAppRoleAssignment needs one role, and there are more.")
    return values[0] if values else None


def roles(value: Value) -> Value:
    return None if value is None else as_items(value)


MAX_RANDOM_LENGTH = 256
"""Characters of a random text, at most (documented)."""
_CHARACTER_CLASSES = (
    string.digits,
    string.punctuation,
    string.ascii_uppercase,
    string.ascii_lowercase,
)


def make_guid() -> Value:
    return str(uuid.uuid4())


def _to_minimum(value: Value) -> int:
    count = 0 if value is None else as_integer(value)
    if count < 0:
        raise ValueFault("RandomString needs numbers that are not negative.")
    return count


def _choose_characters(
    alphabets: Sequence[str], counts: Sequence[int], length: int
) -> list[str]:
    made = []
    for alphabet, count in zip(alphabets, counts, strict=True):
        if count and not alphabet:
            raise ValueFault("RandomString may use no character of a kind it needs.")
        made += [secrets.choice(alphabet) for _ in range(count)]
    everything = "".join(alphabets)
    if len(made) < length and not everything:
        raise ValueFault("RandomString may use no character at all.")
    return made + [secrets.choice(everything) for _ in range(length - len(made))]


def make_random_string(
    length: Value,
    *minimums: Value,
) -> Value:
    """Make a text with at least so many digits, special, upper and lower letters.

    The last argument, the fifth behind the length, holds characters to avoid.
    """
    wanted = _to_minimum(length)
    if wanted > MAX_RANDOM_LENGTH:
        raise ValueFault(f"RandomString makes at most {MAX_RANDOM_LENGTH} characters.")
    counts = [_to_minimum(each) for each in minimums[: len(_CHARACTER_CLASSES)]]
    if sum(counts) > wanted:
        raise ValueFault("RandomString needs a length that its minimums fit into.")
    avoided = (
        set(as_text(minimums[-1])) if len(minimums) > len(_CHARACTER_CLASSES) else set()
    )
    alphabets = [
        "".join(c for c in each if c not in avoided) for each in _CHARACTER_CLASSES
    ]
    made = _choose_characters(alphabets, counts, wanted)
    secrets.SystemRandom().shuffle(made)
    return "".join(made)


_ANY = Parameter("expression", "any")
_VALUES = Parameter("attribute", "values")
_ROLES = Parameter("appRoleAssignments", "values")

VALUE_FUNCTIONS = (
    Function(
        "AppRoleAssignmentsComplex",
        (_ROLES,),
        "values",
        "Take all roles of a person.",
        build_eager(roles),
    ),
    Function(
        "BitAnd",
        (Parameter("value1", "number"), Parameter("value2", "number")),
        "number",
        "Keep the bits that two numbers share.",
        build_eager(bit_and),
    ),
    Function(
        "CBool",
        (_ANY,),
        "boolean",
        "Say whether a value is true.",
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
        "Find the first value that holds a text: its position from 1, or 0.",
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
        "Take a text as a reference.",
        build_eager(to_text),
    ),
    Function(
        "CStr",
        (Parameter("value", "any"),),
        "text",
        "Write a value as a text.",
        build_eager(to_text),
    ),
    Function(
        "DNComponent",
        (Parameter("reference", "reference"), Parameter("number", "number")),
        "text",
        "Take the value of a component of a distinguished name, from 1 from the left.",
        build_eager(encodings.dn_component),
    ),
    Function(
        "Guid",
        (),
        "text",
        "Make a random GUID.",
        build_eager(make_guid),
        impure=True,
    ),
    Function(
        "IsNull",
        (_ANY,),
        "boolean",
        "Say whether there is no value.",
        build_eager(is_null),
    ),
    Function(
        "IsNullOrEmpty",
        (_ANY,),
        "boolean",
        "Say whether there is no value, or an empty one.",
        build_eager(is_null_or_empty),
    ),
    Function(
        "IsPresent",
        (_ANY,),
        "boolean",
        "Say whether there is a value.",
        build_eager(is_present),
    ),
    Function(
        "IsString",
        (_ANY,),
        "boolean",
        "Say whether a value can be written as a text.",
        build_eager(is_string),
    ),
    Function(
        "Item",
        (_VALUES, Parameter("index", "number")),
        "any",
        "Take one of several values, from 1.",
        build_eager(item),
    ),
    Function(
        "Not",
        (Parameter("source", "any"),),
        "boolean",
        "Turn true into false, anything else into true.",
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
        "Make a random text of at most 256 characters.",
        build_eager(make_random_string),
        impure=True,
    ),
    Function(
        "RemoveDuplicates",
        (_VALUES,),
        "values",
        "Keep one of each value.",
        build_eager(remove_duplicates),
    ),
    Function(
        "SingleAppRoleAssignment",
        (_ROLES,),
        "text",
        "Take a person's one role; several are an error of the object.",
        build_eager(single_role),
    ),
    Function(
        "StringFromSid",
        (Parameter("objectSid", "values"),),
        "values",
        "Write a security identifier as a text.",
        build_per_text(encodings.format_sid),
    ),
)
