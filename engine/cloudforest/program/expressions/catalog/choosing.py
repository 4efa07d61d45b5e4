"""Functions that choose, and the comparisons that they choose by."""

from __future__ import annotations

from cloudforest.model.program import Call
from cloudforest.program.expressions.functions import choice
from cloudforest.program.expressions.functions.shape import (
    Arguments,
    Function,
    Parameter,
    Wrong,
)

_PRESENCE = frozenset({"IsPresent", "IsNull", "IsNullOrEmpty"})
_PAIR = (Parameter("left", "any"), Parameter("right", "any"))
_COMPARED = {
    "=": ("the two values are equal", choice.equality(wanted=True)),
    "<>": ("the two values differ", choice.equality(wanted=False)),
    ">": ("the left value is greater", choice.ordering(">")),
    ">=": ("the left value is not less", choice.ordering(">=")),
    "<": ("the left value is less", choice.ordering("<")),
    "<=": ("the left value is not greater", choice.ordering("<=")),
}


def _iif_is_wrong(arguments: Arguments) -> Wrong | None:
    condition = arguments[0]
    if isinstance(condition, Call) and condition.function == "IgnoreFlowIfNullOrEmpty":
        return Wrong("IgnoreFlowIfNullOrEmpty can't be the condition of IIF.", 0)
    return None


def _switch_is_wrong(arguments: Arguments) -> Wrong | None:
    if len(arguments) % 2:
        return Wrong(
            "Switch needs a value after each key; the last key has none.",
            len(arguments) - 1,
        )
    source = arguments[0]
    if isinstance(source, Call) and source.function in _PRESENCE:
        return Wrong(
            f"{source.function} can't be the source of Switch; use IIF, or the key"
            ' "" for what is missing.',
            0,
        )
    return None


CHOOSING = (
    *(
        Function(name, _PAIR, "boolean", f"Say whether {what}.", build)
        for name, (what, build) in _COMPARED.items()
    ),
    Function(
        "Coalesce",
        (Parameter("source", "any", repeating=True),),
        "any",
        "Take the first source with a value, or else the last.",
        choice.coalesce,
    ),
    Function(
        "IIF",
        (
            Parameter("condition", "boolean"),
            Parameter("valueIfTrue", "any"),
            Parameter("valueIfFalse", "any"),
        ),
        "any",
        "Take one of two values by a condition.",
        choice.iif,
        check=_iif_is_wrong,
    ),
    Function(
        "SelectUniqueValue",
        (
            Parameter("rule1", "text"),
            Parameter("rule", "text", repeating=True),
        ),
        "text",
        "Take the first value that no resource of the target has.",
        None,
    ),
    Function(
        "Switch",
        (
            Parameter("source", "text"),
            Parameter("defaultValue", "any", optional=True),
            Parameter("key", "text", repeating=True),
            Parameter("value", "any", repeating=True),
        ),
        "any",
        "Take the value whose key equals the source.",
        choice.switch,
        check=_switch_is_wrong,
    ),
)
