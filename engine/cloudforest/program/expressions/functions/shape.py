"""What a function is, and how a plain Python function becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cloudforest.model.program import Expression
from cloudforest.program.expressions.functions.values import Value, text

Row = Mapping[str, tuple[str, ...]]
"""Directory attributes by name in lower case."""
Evaluate = Callable[[Row], Value]


@dataclass(frozen=True)
class Operand:
    """A compiled argument; a constant one may be evaluated with any row."""

    evaluate: Evaluate
    constant: bool = False


Build = Callable[[Sequence[Operand | None]], Evaluate]


@dataclass(frozen=True)
class Function:
    """One function of the language; `maximum` None means any number.

    `build` gets compiled arguments, None for those left empty, once per expression.
    `optional` are the positions below `minimum` that may be left empty. `check` returns
    what else is wrong with the arguments, as a sentence.
    """

    name: str
    minimum: int
    maximum: int | None
    summary: str
    build: Build
    optional: frozenset[int] = frozenset()
    check: Callable[[Sequence[Expression | None]], str | None] | None = None


def _nothing(_row: Row) -> Value:
    return None


def evaluator(operand: Operand | None) -> Evaluate:
    return _nothing if operand is None else operand.evaluate


def eager(function: Callable[..., Value]) -> Build:
    """Evaluate every argument, then call; an argument left empty is None."""

    def build(operands: Sequence[Operand | None]) -> Evaluate:
        match [evaluator(each) for each in operands]:
            case [a]:
                return lambda row: function(a(row))
            case [a, b]:
                return lambda row: function(a(row), b(row))
            case [a, b, c]:
                return lambda row: function(a(row), b(row), c(row))
            case many:
                return lambda row: function(*[each(row) for each in many])

    return build


def each_text(function: Callable[..., str], *, null: Value = None) -> Build:
    """Apply to the text of the first argument, or of each of its values."""

    def apply(source: Value, *rest: Value) -> Value:
        if isinstance(source, str):
            return function(source, *rest)
        if source is None:
            return null
        if isinstance(source, tuple):
            return tuple(function(text(each), *rest) for each in source)
        return function(text(source), *rest)

    return eager(apply)
