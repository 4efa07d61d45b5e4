"""What a function is, and how a plain Python function becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cloudforest.model.program import Expression
from cloudforest.program.expressions.functions.values import Value, text

Row = Mapping[str, Value]
"""Directory attributes by name in lower case, as `evaluate.prepared` makes them."""
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


def _constants(operands: Sequence[Operand | None]) -> tuple[Value, ...] | None:
    """Return the values of arguments that are the same for every object, or None."""
    if all(each is None or each.constant for each in operands):
        return tuple(evaluator(each)({}) for each in operands)
    return None


def eager(function: Callable[..., Value]) -> Build:
    """Evaluate every argument, then call; an argument left empty is None.

    What is constant behind the first argument is evaluated once.
    """

    def build(operands: Sequence[Operand | None]) -> Evaluate:
        rest = _constants(operands[1:])
        match [evaluator(each) for each in operands]:
            case [a]:
                return lambda row: function(a(row))
            case [a, _] if rest is not None:
                (second,) = rest
                return lambda row: function(a(row), second)
            case [a, *_] if rest is not None:
                return lambda row: function(a(row), *rest)
            case [a, b]:
                return lambda row: function(a(row), b(row))
            case [a, b, c]:
                return lambda row: function(a(row), b(row), c(row))
            case many:
                return lambda row: function(*[each(row) for each in many])

    return build


def _on_each(function: Callable[..., str], null: Value) -> Callable[..., Value]:
    def apply(source: Value, *rest: Value) -> Value:
        if source is None:
            return null
        if isinstance(source, tuple):
            return tuple(function(text(each), *rest) for each in source)
        return function(text(source), *rest)

    return apply


def each_text(function: Callable[..., str], *, null: Value = None) -> Build:
    """Apply to the text of the first argument, or of each of its values."""
    apply = _on_each(function, null)
    general = eager(apply)

    def build(operands: Sequence[Operand | None]) -> Evaluate:
        """Go straight to the function for the commonest case: one text."""
        rest = _constants(operands[1:])
        if rest is None:
            return general(operands)
        first = evaluator(operands[0])

        def evaluate(row: Row) -> Value:
            source = first(row)
            if isinstance(source, str):
                return function(source, *rest)
            return apply(source, *rest)

        return evaluate

    return build
