"""What a function is, and how a plain Python function becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cloudforest.model.program import Expression
from cloudforest.program.expressions.values import Value, as_text, collect_texts

AttributeValues = Mapping[str, Value]
"""Directory attributes by name in lower case, as `evaluate.prepared` makes them."""
Evaluate = Callable[[AttributeValues], Value]
ValueKind = Literal[
    "any", "text", "number", "boolean", "date", "reference", "values", "nothing"
]
"""What kind of value an argument takes or a function gives.

`text` is one text; `values` are several, or one; `nothing` is given by functions that
end the flow of an attribute or object.
"""


@dataclass(frozen=True)
class Operand:
    """A compiled argument; a constant one may be evaluated with any row.

    That it is constant saves work and means nothing; that it is a `literal`, written
    as it is, may mean something.
    """

    evaluate: Evaluate
    constant: bool = False
    literal: bool = False


Build = Callable[[Sequence[Operand | None]], Evaluate]


@dataclass(frozen=True)
class Parameter:
    """One argument of a function.

    A `repeating` one and those behind it come any number of times, once at least. A
    constant for a `choice` is one of these words. An `omitted` one may be left out
    with its comma, though others follow.
    """

    name: str
    kind: ValueKind = "any"
    optional: bool = False
    repeating: bool = False
    choice: tuple[str, ...] = ()
    omitted: bool = False


@dataclass(frozen=True)
class CallFault:
    """What is wrong with a call; `argument` is the position that it is about.

    `within` counts the characters of an argument that is a text.
    """

    message: str
    argument: int | None = None
    within: int | None = None


Arguments = Sequence[Expression | None]
Check = Callable[[Arguments], CallFault | None]


@dataclass(frozen=True)
class Function:
    """One function of the language: its arguments, what it gives, and what it is for.

    `build` gets compiled arguments, None for those left empty, once per expression; a
    function without it needs more than the object, and `evaluate` knows it. An `impure`
    one may give something else for the same object. `check` returns what else is wrong
    with the arguments. `bare`: it may be written without parentheses.
    """

    name: str
    parameters: tuple[Parameter, ...]
    gives: ValueKind
    summary: str
    build: Build | None
    impure: bool = False
    bare: bool = False
    check: Check | None = None

    @property
    def minimum(self) -> int:
        needed = [
            index for index, each in enumerate(self.parameters) if not each.optional
        ]
        return needed[-1] + 1 if needed else 0

    @property
    def repeat_length(self) -> int:
        """Return how many arguments come again and again; 0: none."""
        repeating = [each.repeating for each in self.parameters]
        return len(repeating) - repeating.index(True) if True in repeating else 0

    @property
    def maximum(self) -> int | None:
        return None if self.repeat_length else len(self.parameters)

    def parameter_at(self, position: int) -> Parameter:
        """Return what an argument is; those that come again count from the first."""
        count = len(self.parameters)
        if position < count:
            return self.parameters[position]
        first = count - self.repeat_length
        return self.parameters[first + (position - first) % self.repeat_length]


def _evaluate_to_null(_row: AttributeValues) -> Value:
    return None


def evaluator_of(operand: Operand | None) -> Evaluate:
    return _evaluate_to_null if operand is None else operand.evaluate


def _evaluate_constants(operands: Sequence[Operand | None]) -> tuple[Value, ...] | None:
    """Return the values of arguments that are the same for every object, or None."""
    if all(each is None or each.constant for each in operands):
        return tuple(evaluator_of(each)({}) for each in operands)
    return None


def build_eager(function: Callable[..., Value]) -> Build:
    """Evaluate every argument, then call; an argument left empty is None.

    What is constant behind the first argument is evaluated once.
    """

    def build(operands: Sequence[Operand | None]) -> Evaluate:
        rest = _evaluate_constants(operands[1:])
        match [evaluator_of(each) for each in operands]:
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


def _apply_to_each(function: Callable[..., str], null: Value) -> Callable[..., Value]:
    def apply(source: Value, *rest: Value) -> Value:
        if source is None:
            return null
        if isinstance(source, tuple):
            return collect_texts(function(as_text(each), *rest) for each in source)
        return function(as_text(source), *rest)

    return apply


def build_per_text(function: Callable[..., str], *, null: Value = None) -> Build:
    """Apply to the text of the first argument, or of each of its values."""
    apply = _apply_to_each(function, null)
    general = build_eager(apply)

    def build(operands: Sequence[Operand | None]) -> Evaluate:
        """Go straight to the function for the commonest case: one text."""
        rest = _evaluate_constants(operands[1:])
        if rest is None:
            return general(operands)
        first = evaluator_of(operands[0])

        def evaluate(row: AttributeValues) -> Value:
            source = first(row)
            if isinstance(source, str):
                return function(source, *rest)
            return apply(source, *rest)

        return evaluate

    return build
