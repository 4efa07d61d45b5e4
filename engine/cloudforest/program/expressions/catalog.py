"""What is wrong with a call: its name, the number of arguments, and their kinds.

All functions, by name.

The functions' reference, from the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from cloudforest.model.program import Call, Expression, Literally, Scalar
from cloudforest.program.expressions.choice import CHOOSING
from cloudforest.program.expressions.date_parsing import moment_or_none
from cloudforest.program.expressions.dates import TIMING
from cloudforest.program.expressions.flow import FLOWING
from cloudforest.program.expressions.function import (
    Arguments,
    Function,
    Kind,
    Parameter,
    Wrong,
)
from cloudforest.program.expressions.lists import VALUING
from cloudforest.program.expressions.texts import WRITING
from cloudforest.program.expressions.values import quoted_number

OPERATORS = ("=", "<>", ">", ">=", "<", "<=", "&")

FUNCTIONS: dict[str, Function] = {
    each.name: each for each in (*WRITING, *VALUING, *TIMING, *CHOOSING, *FLOWING)
}


T = TypeVar("T")

_NEVER_FITS: dict[Kind, frozenset[Kind]] = {
    "number": frozenset({"boolean", "date", "reference"}),
    "date": frozenset({"number", "boolean", "reference"}),
    "boolean": frozenset({"date", "reference"}),
    "reference": frozenset({"number", "boolean", "date"}),
}
"""Kinds that functions give and that an argument of a kind can't do with."""

_NOUNS: dict[Kind, str] = {
    "number": "a number",
    "date": "a date",
    "boolean": "a condition",
    "reference": "a reference",
}


def _expected(function: Function) -> str:
    low, high = function.minimum, function.maximum
    low -= any(each.omitted for each in function.parameters)
    noun = "argument" if high == 1 or (high is None and low == 1) else "arguments"
    if high is None:
        return f"at least {low} {noun}"
    if high == 0:
        return "no arguments"
    return f"{low} {noun}" if low == high else f"{low} to {high} {noun}"


def unknown(name: str) -> Wrong:
    names = {each.lower(): each for each in FUNCTIONS if each not in OPERATORS}
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.7)
    hint = (
        f"Did you mean {names[close[0]]}?"
        if close
        else "`cloudforest expression functions` lists those that there are."
    )
    return Wrong(f"There is no function {name}. {hint}")


def aligned(
    name: str, arguments: Sequence[Expression | None], places: Sequence[T], gap: T
) -> tuple[tuple[Expression | None, ...], tuple[T, ...]]:
    """Return arguments and their places, with what may be left out put in as empty."""
    parameters = FUNCTIONS[name].parameters if name in FUNCTIONS else ()
    left_out = [index for index, each in enumerate(parameters) if each.omitted]
    if not left_out or len(arguments) != len(parameters) - 1:
        return tuple(arguments), tuple(places)
    at = left_out[0]
    return (
        (*arguments[:at], None, *arguments[at:]),
        (*places[:at], gap, *places[at:]),
    )


def _literal(parameter: Parameter, value: Scalar) -> str | None:
    if parameter.choice and value not in parameter.choice:
        return f"one of {', '.join(parameter.choice)}"
    if value is None or value == "":
        return None
    match parameter.kind:
        case "number" if quoted_number(value) is None:
            return "a number"
        case "date" if not _may_be_date(value):
            return "a date"
        case _:
            return None


def _may_be_date(value: Scalar) -> bool:
    return isinstance(value, str) and moment_or_none(value) is not None


def _unfit(function: Function, parameter: Parameter, each: Expression) -> str | None:
    """Return what is needed where an argument can't be right for any object."""
    if isinstance(each, Literally):
        free = function.name == "FormatDateTime" and parameter.kind == "date"
        return None if free else _literal(parameter, each.value)
    if isinstance(each, Call) and each.function in FUNCTIONS:
        gives = FUNCTIONS[each.function].gives
        if gives in _NEVER_FITS.get(parameter.kind, frozenset()):
            return _NOUNS[parameter.kind]
    return None


def _wrong_argument(function: Function, arguments: Arguments) -> Wrong | None:
    for position, each in enumerate(arguments):
        parameter = function.parameter(position)
        if each is None:
            if not parameter.optional and position < function.minimum:
                return Wrong(
                    f"{function.name} needs an argument that is left empty"
                    f" ({parameter.name}).",
                    position,
                )
            continue
        needed = _unfit(function, parameter, each)
        if needed is not None:
            return Wrong(
                f"{function.name} needs {needed} here ({parameter.name}).", position
            )
    return None


def complaint(name: str, arguments: Arguments) -> Wrong | None:
    """Return what is wrong with a call of aligned arguments, or None."""
    function = FUNCTIONS.get(name)
    if function is None:
        return unknown(name)
    count = len(arguments)
    high = count if function.maximum is None else function.maximum
    if not function.minimum <= count <= high:
        return Wrong(f"{name} takes {_expected(function)}, and {count} are given.")
    wrong = _wrong_argument(function, arguments)
    if wrong is None and function.check is not None:
        return function.check(arguments)
    return wrong


@dataclass(frozen=True)
class Entry:
    """One function: how it is written, what it takes and gives, and what it is for."""

    name: str
    syntax: str
    gives: Kind
    summary: str
    pure: bool
    parameters: tuple[Parameter, ...]


def _named(parameter: Parameter) -> str:
    return f"[{parameter.name}]" if parameter.optional else parameter.name


def syntax(function: Function) -> str:
    """Write `Name(required, [optional], repeating, …)`, or an operator in its place."""
    names = [_named(each) for each in function.parameters]
    if function.name in OPERATORS:
        return f"{names[0]} {function.name} {names[1]}"
    if function.bare:
        return function.name
    again = ["…"] if function.cycle else []
    return f"{function.name}({', '.join([*names, *again])})"


def entries() -> Iterator[Entry]:
    """Yield every function by name, operators first."""
    for each in sorted(FUNCTIONS.values(), key=lambda each: each.name.lower()):
        yield Entry(
            name=each.name,
            syntax=syntax(each),
            gives=each.gives,
            summary=each.summary,
            pure=not each.impure,
            parameters=each.parameters,
        )
