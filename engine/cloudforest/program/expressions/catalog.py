"""All functions by name, and the checks of their calls."""

from __future__ import annotations

from collections.abc import Sequence

from cloudforest.base.wording import suggest
from cloudforest.model.program import Call, Constant, Expression, Scalar
from cloudforest.program.expressions import (
    choice,
    dates,
    encodings,
    lists,
    replace,
    texts,
)
from cloudforest.program.expressions.date_parsing import as_moment_or_none
from cloudforest.program.expressions.function import (
    OPERATORS,
    Arguments,
    CallFault,
    Function,
    Parameter,
    ValueKind,
)
from cloudforest.program.expressions.values import as_quoted_number_or_none

FUNCTIONS: dict[str, Function] = {
    name: function
    for module in (texts, encodings, replace, lists, dates, choice)
    for name, function in module.TABLE.items()
}
_UNFIT_KINDS: dict[ValueKind, tuple[str, frozenset[ValueKind]]] = {
    "number": ("a number", frozenset({"boolean", "date", "reference"})),
    "date": ("a date", frozenset({"number", "boolean", "reference"})),
    "boolean": ("a condition", frozenset({"date", "reference"})),
    "reference": ("a reference", frozenset({"number", "boolean", "date"})),
}
"""What an argument of a kind needs, and kinds of results that do not fit it."""


def _format_expected_count(function: Function) -> str:
    low, high = function.minimum, function.maximum
    low -= any(each.omitted for each in function.parameters)
    noun = "argument" if high == 1 or (high is None and low == 1) else "arguments"
    if high is None:
        return f"at least {low} {noun}"
    if high == 0:
        return "no arguments"
    return f"{low} {noun}" if low == high else f"{low} to {high} {noun}"


def make_unknown_function_fault(name: str) -> CallFault:
    otherwise = "`cloudforest expression functions` lists all of them."
    hint = suggest(name, FUNCTIONS.keys() - OPERATORS, otherwise)
    return CallFault(f'Unknown function "{name}". {hint}')


def align_arguments(
    name: str, arguments: Sequence[Expression | None], places: Sequence[int], gap: int
) -> tuple[tuple[Expression | None, ...], tuple[int, ...]]:
    """Return arguments and their places, with an empty one for an omitted argument."""
    parameters = FUNCTIONS[name].parameters if name in FUNCTIONS else ()
    aligned, located = list(arguments), list(places)
    for at, each in enumerate(parameters):
        if each.omitted and len(arguments) == len(parameters) - 1:
            aligned.insert(at, None)
            located.insert(at, gap)
    return tuple(aligned), tuple(located)


def _find_literal_need(parameter: Parameter, value: Scalar) -> str | None:
    if parameter.choice and value not in parameter.choice:
        return f"one of {', '.join(parameter.choice)}"
    if value is None or value == "":
        return None
    match parameter.kind:
        case "number" if as_quoted_number_or_none(value) is None:
            return "a number"
        case "date" if as_moment_or_none(value) is None:
            return "a date"
        case _:
            return None


def _get_need(function: Function, parameter: Parameter, each: Expression) -> str | None:
    """Return what an argument should be, if it is wrong for every object."""
    if isinstance(each, Constant):
        free = function.name == "FormatDateTime" and parameter.kind == "date"
        return None if free else _find_literal_need(parameter, each.value)
    if isinstance(each, Call) and each.function in FUNCTIONS:
        needed, unfit = _UNFIT_KINDS.get(parameter.kind, (None, frozenset()))
        if FUNCTIONS[each.function].gives in unfit:
            return needed
    return None


def _find_argument_fault(function: Function, arguments: Arguments) -> CallFault | None:
    for position, each in enumerate(arguments):
        parameter = function.parameter_at(position)
        what, needed = f'argument "{parameter.name}"', None
        if each is not None:
            needed = _get_need(function, parameter, each)
        elif not parameter.optional and position < function.minimum:
            message = f"{function.name} needs the {what}, which is empty."
            return CallFault(message, position)
        if needed is not None:
            message = f"The {what} of {function.name} must be {needed}."
            return CallFault(message, position)
    return None


def find_call_fault(name: str, arguments: Arguments) -> CallFault | None:
    """Return what is wrong with a call with aligned arguments, or None."""
    function = FUNCTIONS.get(name)
    if function is None:
        return make_unknown_function_fault(name)
    count = len(arguments)
    high = count if function.maximum is None else function.maximum
    if not function.minimum <= count <= high:
        expected = _format_expected_count(function)
        return CallFault(f"{name} takes {expected}, but gets {count}.")
    fault = _find_argument_fault(function, arguments)
    if fault is None and function.check is not None:
        return function.check(arguments)
    return fault


def list_functions() -> list[Function]:
    """Return every function, sorted by name, operators first."""
    return sorted(FUNCTIONS.values(), key=lambda each: each.name.lower())
