"""Functions of the language, and how to build one from a Python function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar

from cloudforest.model.program import Expression
from cloudforest.program.expressions.values import Value, as_text, collect_texts
from cloudforest.program.faults import ValueFault

AttributeValues = Mapping[str, Value]
"""Directory attributes by name in lower case (see `evaluate.prepare_attributes`)."""
Evaluate = Callable[[AttributeValues], Value]
ValueKind = Literal[
    "any", "text", "number", "boolean", "date", "reference", "values", "nothing"
]
"""The kind of an argument or a result.

`text` is one text; `values` are one or several; `nothing` is the result of functions
that end the flow of an attribute or object.
"""
Arguments = Sequence[Expression | None]
OPERATORS = ("=", "<>", ">", ">=", "<", "<=", "&")
Implementation = TypeVar("Implementation", bound=Callable[..., Any])


@dataclass(frozen=True)
class Operand:
    """A compiled argument; a `constant` one is the same for every object.

    `constant` only saves work. `literal` means that the expression contains the value
    itself, which some functions treat differently.
    """

    evaluate: Evaluate
    constant: bool = False
    literal: bool = False


@dataclass(frozen=True)
class EvaluationContext:
    """What expressions know apart from the object.

    `now` is the result of Now; without it, Now is a fault. `taken` are values that
    SelectUniqueValue must not choose; they compare without case. `watcher` is called
    with each compiled part; its result is evaluated instead of the part.
    """

    now: datetime | None = None
    taken: frozenset[str] = frozenset()
    watcher: Callable[[Expression, Evaluate], Evaluate] | None = None


EMPTY = Operand(lambda _attributes: None, constant=True)
"""An empty argument."""
NO_CONTEXT = EvaluationContext()
Operands = Sequence[Operand]
Build = Callable[[Operands], Evaluate]


@dataclass(frozen=True)
class Parameter:
    """One argument of a function.

    A `repeating` argument and all after it occur once or more. A constant must be one
    of `choice`, if given. An `omitted` argument may be left out together with its
    comma, although others follow.
    """

    name: str
    kind: ValueKind = "any"
    optional: bool = False
    repeating: bool = False
    choice: tuple[str, ...] = ()
    omitted: bool = False


COMPARE_TYPE = Parameter(
    "compareType", "text", optional=True, choice=("vbBinaryCompare", "vbTextCompare")
)


@dataclass(frozen=True)
class CallFault:
    """What is wrong with a call.

    `argument` is the position of the argument at fault; `within` is the offset in its
    text.
    """

    message: str
    argument: int | None = None
    within: int | None = None


Check = Callable[[Arguments], CallFault | None]


@dataclass(frozen=True)
class Function:
    """One function of the language.

    `build` is called once per expression, with compiled arguments; a `contextual`
    function also gets the context. An `impure` function may return another value for
    the same object. `check` finds faults beyond the arguments' kinds. A `bare` function
    needs no parentheses.
    """

    name: str
    parameters: tuple[Parameter, ...]
    gives: ValueKind
    summary: str
    build: Callable[..., Evaluate]
    contextual: bool = False
    impure: bool = False
    bare: bool = False
    check: Check | None = None

    @property
    def minimum(self) -> int:
        numbered = enumerate(self.parameters, 1)
        return max((n for n, each in numbered if not each.optional), default=0)

    @property
    def repeat_length(self) -> int:
        """The number of repeating arguments at the end; 0 if none repeat."""
        repeating = [each.repeating for each in self.parameters]
        return len(repeating) - repeating.index(True) if True in repeating else 0

    @property
    def maximum(self) -> int | None:
        return None if self.repeat_length else len(self.parameters)

    @property
    def syntax(self) -> str:
        """`Name(required, [optional], repeating, …)`, or `left operator right`."""
        names = [f"[{p.name}]" if p.optional else p.name for p in self.parameters]
        if self.name in OPERATORS:
            return f"{names[0]} {self.name} {names[1]}"
        if self.bare:
            return self.name
        again = ["…"] if self.repeat_length else []
        return f"{self.name}({', '.join([*names, *again])})"

    def parameter_at(self, position: int) -> Parameter:
        """Return the parameter of an argument, which may be a repeated one."""
        count = len(self.parameters)
        if position < count:
            return self.parameters[position]
        first = count - self.repeat_length
        return self.parameters[first + (position - first) % self.repeat_length]


def build_fault(reason: str) -> Evaluate:
    def evaluate(_attributes: AttributeValues) -> Value:
        raise ValueFault(reason)

    return evaluate


def _evaluate_constants(operands: Operands) -> tuple[Value, ...] | None:
    """Return the values of the arguments if all are constant, else None."""
    is_constant = all(each.constant for each in operands)
    return tuple(each.evaluate({}) for each in operands) if is_constant else None


def build_eager(function: Callable[..., Value]) -> Build:
    """Build a function that evaluates all its arguments; an empty one is None.

    If all arguments after the first are constant, they are evaluated once.
    """

    def build(operands: Operands) -> Evaluate:
        rest = _evaluate_constants(operands[1:])
        match [each.evaluate for each in operands]:
            case [a]:
                return lambda attributes: function(a(attributes))
            case [a, _] if rest is not None:
                (second,) = rest
                return lambda attributes: function(a(attributes), second)
            case [a, *_] if rest is not None:
                return lambda attributes: function(a(attributes), *rest)
            case [a, b]:
                return lambda attributes: function(a(attributes), b(attributes))
            case many:
                return lambda attributes: function(*[each(attributes) for each in many])

    return build


def apply_to_texts(
    function: Callable[..., str], null: Value, source: Value, *rest: Value
) -> Value:
    """Apply a function to a text, or to each of several; `null` replaces null."""
    if source is None:
        return null
    if isinstance(source, tuple):
        return collect_texts(function(as_text(each), *rest) for each in source)
    return function(as_text(source), *rest)


def build_per_text(function: Callable[..., str], *, null: Value = None) -> Build:
    """Build a function of the first argument (see `apply_to_texts`)."""
    apply = partial(apply_to_texts, function, null)
    general = build_eager(apply)

    def build(operands: Operands) -> Evaluate:
        rest = _evaluate_constants(operands[1:])
        if rest is None:
            return general(operands)
        first = operands[0].evaluate

        def evaluate(attributes: AttributeValues) -> Value:
            source = first(attributes)
            if isinstance(source, str):  # the most frequent case
                return function(source, *rest)
            return apply(source, *rest)

        return evaluate

    return build


class FunctionTable(dict[str, Function]):
    """The functions of a module by name, each added beside its implementation.

    The first line of an implementation's docstring is its summary in the reference.
    """

    def _define(
        self,
        make_build: Callable[[Any], Build],
        name: str,
        parameters: tuple[Parameter, ...],
        gives: ValueKind,
        **traits: Any,
    ) -> Callable[[Implementation], Implementation]:
        def add(implementation: Implementation) -> Implementation:
            summary = (implementation.__doc__ or "").partition("\n")[0]
            build = make_build(implementation)
            self[name] = Function(name, parameters, gives, summary, build, **traits)
            return implementation

        return add

    def eager(
        self, name: str, *parameters: Parameter, gives: ValueKind, **traits: Any
    ) -> Callable[[Implementation], Implementation]:
        """Add a function of values (see `build_eager`)."""
        return self._define(build_eager, name, parameters, gives, **traits)

    def per_text(
        self, name: str, *parameters: Parameter, null: Value = None
    ) -> Callable[[Implementation], Implementation]:
        """Add a function of one text (see `build_per_text`)."""
        make_build = partial(build_per_text, null=null)
        return self._define(make_build, name, parameters, "values")

    def built(
        self, name: str, *parameters: Parameter, gives: ValueKind, **traits: Any
    ) -> Callable[[Implementation], Implementation]:
        """Add a function that compiles its own evaluator."""
        return self._define(lambda build: build, name, parameters, gives, **traits)
