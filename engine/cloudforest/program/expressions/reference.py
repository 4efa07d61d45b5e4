"""The functions' reference, from the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cloudforest.program.expressions.catalog import FUNCTIONS, OPERATORS
from cloudforest.program.expressions.functions.shape import Function, Kind, Parameter


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
