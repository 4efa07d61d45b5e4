"""Functions on several values, numbers, kinds of values and references."""

from __future__ import annotations

from cloudforest.program.expressions.catalog.writing import COMPARING
from cloudforest.program.expressions.functions import encodings, lists, making
from cloudforest.program.expressions.functions.shape import (
    Function,
    Parameter,
    each_text,
    eager,
)

_ANY = Parameter("expression", "any")
_VALUES = Parameter("attribute", "values")
_ROLES = Parameter("appRoleAssignments", "values")

VALUING = (
    Function(
        "AppRoleAssignmentsComplex",
        (_ROLES,),
        "values",
        "Take all roles of a person.",
        eager(lists.roles),
    ),
    Function(
        "BitAnd",
        (Parameter("value1", "number"), Parameter("value2", "number")),
        "number",
        "Keep the bits that two numbers share.",
        eager(lists.bit_and),
    ),
    Function(
        "CBool",
        (_ANY,),
        "boolean",
        "Say whether a value is true.",
        eager(lists.to_boolean),
    ),
    Function(
        "Contains",
        (
            _VALUES,
            Parameter("search", "text"),
            Parameter("compareType", "text", optional=True, choice=COMPARING),
        ),
        "number",
        "Find the first value that holds a text: its position from 1, or 0.",
        eager(lists.contains),
    ),
    Function(
        "Count",
        (_VALUES,),
        "number",
        "Count the values of an attribute.",
        eager(lists.count),
    ),
    Function(
        "CRef",
        (Parameter("value", "text"),),
        "reference",
        "Take a text as a reference.",
        eager(lists.to_text),
    ),
    Function(
        "CStr",
        (Parameter("value", "any"),),
        "text",
        "Write a value as a text.",
        eager(lists.to_text),
    ),
    Function(
        "DNComponent",
        (Parameter("reference", "reference"), Parameter("number", "number")),
        "text",
        "Take the value of a component of a distinguished name, from 1 from the left.",
        eager(encodings.dn_component),
    ),
    Function(
        "Guid",
        (),
        "text",
        "Make a random GUID.",
        eager(making.guid),
        impure=True,
    ),
    Function(
        "IsNull",
        (_ANY,),
        "boolean",
        "Say whether there is no value.",
        eager(lists.is_null),
    ),
    Function(
        "IsNullOrEmpty",
        (_ANY,),
        "boolean",
        "Say whether there is no value, or an empty one.",
        eager(lists.is_null_or_empty),
    ),
    Function(
        "IsPresent",
        (_ANY,),
        "boolean",
        "Say whether there is a value.",
        eager(lists.is_present),
    ),
    Function(
        "IsString",
        (_ANY,),
        "boolean",
        "Say whether a value can be written as a text.",
        eager(lists.is_string),
    ),
    Function(
        "Item",
        (_VALUES, Parameter("index", "number")),
        "any",
        "Take one of several values, from 1.",
        eager(lists.item),
    ),
    Function(
        "Not",
        (Parameter("source", "any"),),
        "boolean",
        "Turn true into false, anything else into true.",
        eager(lists.negation),
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
        eager(making.random_string),
        impure=True,
    ),
    Function(
        "RemoveDuplicates",
        (_VALUES,),
        "values",
        "Keep one of each value.",
        eager(lists.remove_duplicates),
    ),
    Function(
        "SingleAppRoleAssignment",
        (_ROLES,),
        "text",
        "Take a person's one role; several are an error of the object.",
        eager(lists.single_role),
    ),
    Function(
        "StringFromSid",
        (Parameter("objectSid", "values"),),
        "values",
        "Write a security identifier as a text.",
        each_text(encodings.sid),
    ),
)
