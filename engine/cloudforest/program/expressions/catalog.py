"""All functions by name, the checks of their calls, and their reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cloudforest.base.wording import suggest
from cloudforest.model.program import Call, Constant, Expression, Scalar
from cloudforest.program.expressions.choice import CHOICE_FUNCTIONS
from cloudforest.program.expressions.date_parsing import as_moment_or_none
from cloudforest.program.expressions.dates import DATE_FUNCTIONS
from cloudforest.program.expressions.flow import FLOW_FUNCTIONS
from cloudforest.program.expressions.function import (
    Arguments,
    CallFault,
    Function,
    Parameter,
    ValueKind,
)
from cloudforest.program.expressions.lists import VALUE_FUNCTIONS
from cloudforest.program.expressions.texts import TEXT_FUNCTIONS
from cloudforest.program.expressions.values import as_quoted_number_or_none

OPERATORS = ("=", "<>", ">", ">=", "<", "<=", "&")

FUNCTIONS: dict[str, Function] = {
    each.name: each
    for each in (
        *TEXT_FUNCTIONS,
        *VALUE_FUNCTIONS,
        *DATE_FUNCTIONS,
        *CHOICE_FUNCTIONS,
        *FLOW_FUNCTIONS,
    )
}


T = TypeVar("T")

_UNFIT_KINDS: dict[ValueKind, frozenset[ValueKind]] = {
    "number": frozenset({"boolean", "date", "reference"}),
    "date": frozenset({"number", "boolean", "reference"}),
    "boolean": frozenset({"date", "reference"}),
    "reference": frozenset({"number", "boolean", "date"}),
}
"""Kinds of results that do not fit an argument of a kind."""

_KIND_NOUNS: dict[ValueKind, str] = {
    "number": "a number",
    "date": "a date",
    "boolean": "a condition",
    "reference": "a reference",
}


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
    name: str, arguments: Sequence[Expression | None], places: Sequence[T], gap: T
) -> tuple[tuple[Expression | None, ...], tuple[T, ...]]:
    """Return arguments and their places, with an empty one for an omitted argument."""
    parameters = FUNCTIONS[name].parameters if name in FUNCTIONS else ()
    left_out = [index for index, each in enumerate(parameters) if each.omitted]
    if not left_out or len(arguments) != len(parameters) - 1:
        return tuple(arguments), tuple(places)
    at = left_out[0]
    return (
        (*arguments[:at], None, *arguments[at:]),
        (*places[:at], gap, *places[at:]),
    )


def _find_literal_need(parameter: Parameter, value: Scalar) -> str | None:
    if parameter.choice and value not in parameter.choice:
        return f"one of {', '.join(parameter.choice)}"
    if value is None or value == "":
        return None
    match parameter.kind:
        case "number" if as_quoted_number_or_none(value) is None:
            return "a number"
        case "date" if not _may_be_date(value):
            return "a date"
        case _:
            return None


def _may_be_date(value: Scalar) -> bool:
    return isinstance(value, str) and as_moment_or_none(value) is not None


def _find_need(
    function: Function, parameter: Parameter, each: Expression
) -> str | None:
    """Return what an argument should be, if it is wrong for every object."""
    if isinstance(each, Constant):
        free = function.name == "FormatDateTime" and parameter.kind == "date"
        return None if free else _find_literal_need(parameter, each.value)
    if isinstance(each, Call) and each.function in FUNCTIONS:
        gives = FUNCTIONS[each.function].gives
        if gives in _UNFIT_KINDS.get(parameter.kind, frozenset()):
            return _KIND_NOUNS[parameter.kind]
    return None


def _find_argument_fault(function: Function, arguments: Arguments) -> CallFault | None:
    for position, each in enumerate(arguments):
        parameter = function.parameter_at(position)
        if each is None:
            if not parameter.optional and position < function.minimum:
                return CallFault(
                    f'{function.name} needs the argument "{parameter.name}", which is'
                    " empty.",
                    position,
                )
            continue
        needed = _find_need(function, parameter, each)
        if needed is not None:
            return CallFault(
                f'The argument "{parameter.name}" of {function.name} must be {needed}.',
                position,
            )
    return None


def find_call_fault(name: str, arguments: Arguments) -> CallFault | None:
    """Return what is wrong with a call with aligned arguments, or None."""
    function = FUNCTIONS.get(name)
    if function is None:
        return make_unknown_function_fault(name)
    count = len(arguments)
    high = count if function.maximum is None else function.maximum
    if not function.minimum <= count <= high:
        return CallFault(
            f"{name} takes {_format_expected_count(function)}, but gets {count}."
        )
    fault = _find_argument_fault(function, arguments)
    if fault is None and function.check is not None:
        return function.check(arguments)
    return fault


@dataclass(frozen=True)
class FunctionEntry:
    """A function in the reference."""

    name: str
    syntax: str
    gives: ValueKind
    summary: str
    pure: bool
    parameters: tuple[Parameter, ...]


def _format_parameter(parameter: Parameter) -> str:
    return f"[{parameter.name}]" if parameter.optional else parameter.name


def format_syntax(function: Function) -> str:
    """Return `Name(required, [optional], repeating, …)`, or `left operator right`."""
    names = [_format_parameter(each) for each in function.parameters]
    if function.name in OPERATORS:
        return f"{names[0]} {function.name} {names[1]}"
    if function.bare:
        return function.name
    again = ["…"] if function.repeat_length else []
    return f"{function.name}({', '.join([*names, *again])})"


def list_functions() -> Iterator[FunctionEntry]:
    """Yield every function, sorted by name, operators first."""
    for each in sorted(FUNCTIONS.values(), key=lambda each: each.name.lower()):
        yield FunctionEntry(
            name=each.name,
            syntax=format_syntax(each),
            gives=each.gives,
            summary=each.summary,
            pure=not each.impure,
            parameters=each.parameters,
        )
