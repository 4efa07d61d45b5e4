"""Functions that choose, compare to choose by, or stop the flow of a value."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from cloudforest.model.program import Call
from cloudforest.program.expressions.date_parsing import as_moment_or_none
from cloudforest.program.expressions.function import (
    EMPTY,
    Arguments,
    AttributeValues,
    Build,
    CallFault,
    Evaluate,
    EvaluationContext,
    Function,
    FunctionTable,
    Operands,
    Parameter,
    build_fault,
)
from cloudforest.program.expressions.values import (
    FALSE,
    Moment,
    Value,
    as_boolean,
    as_number_or_none,
    as_text,
    is_empty,
    is_true,
)
from cloudforest.program.faults import (
    AttributeIgnored,
    ObjectIgnored,
    RaisedFault,
    ValueFault,
)

ERROR_REASON = "The mapping's Error function rejects this object."
_PRESENCE_FUNCTIONS = frozenset({"IsPresent", "IsNull", "IsNullOrEmpty"})
TABLE = FunctionTable()


def _check_iif(arguments: Arguments) -> CallFault | None:
    condition = arguments[0]
    if isinstance(condition, Call) and condition.function == "IgnoreFlowIfNullOrEmpty":
        return CallFault("IgnoreFlowIfNullOrEmpty is not a condition for IIF.", 0)
    return None


def _check_switch(arguments: Arguments) -> CallFault | None:
    if len(arguments) % 2:
        return CallFault(
            "Switch needs a value after each key. The last value is missing.",
            len(arguments) - 1,
        )
    source = arguments[0]
    if isinstance(source, Call) and source.function in _PRESENCE_FUNCTIONS:
        return CallFault(
            f"Switch cannot use {source.function} as its source. Use IIF, or the key"
            ' "" for a missing value.',
            0,
        )
    return None


@TABLE.built(
    "IIF",
    Parameter("condition", "boolean"),
    Parameter("valueIfTrue"),
    Parameter("valueIfFalse"),
    gives="any",
    check=_check_iif,
)
def iif(operands: Operands) -> Evaluate:
    """Return one of two values, depending on a condition."""
    condition, if_true, if_false = (each.evaluate for each in operands)
    return lambda attributes: (
        if_true(attributes) if is_true(condition(attributes)) else if_false(attributes)
    )


@TABLE.built("Coalesce", Parameter("source", "any", repeating=True), gives="any")
def coalesce(operands: Operands) -> Evaluate:
    """Return the first source that has a value, else the last one."""
    *sources, last = (each.evaluate for each in operands)

    def evaluate(attributes: AttributeValues) -> Value:
        for each in sources:
            if not is_empty(value := each(attributes)):
                return value
        return last(attributes)

    return evaluate


def _make_cases(keys: Operands, values: list[Evaluate]) -> dict[str, Evaluate] | None:
    """Return the values by key, if every key is a constant text, else None.

    The first of several equal keys counts.
    """
    if not all(each.constant for each in keys):
        return None
    named = [each.evaluate({}) for each in keys]
    if any(isinstance(each, tuple) for each in named):
        return None
    return dict(reversed(list(zip(map(as_text, named), values, strict=True))))


@TABLE.built(
    "Switch",
    Parameter("source", "text"),
    Parameter("defaultValue", optional=True),
    Parameter("key", "text", repeating=True),
    Parameter("value", repeating=True),
    gives="any",
    check=_check_switch,
)
def switch(operands: Operands) -> Evaluate:
    """Return the value whose key equals the source, else the default.

    Keys compare with case; null and the empty text have the key "".
    """
    source, default = (each.evaluate for each in operands[:2])
    keys, values = operands[2::2], [each.evaluate for each in operands[3::2]]
    cases = _make_cases(keys, values)
    pairs = list(zip((each.evaluate for each in keys), values, strict=True))

    def evaluate(attributes: AttributeValues) -> Value:
        text = as_text(source(attributes))
        if cases is not None:
            return cases.get(text, default)(attributes)
        matches = (value for key, value in pairs if as_text(key(attributes)) == text)
        return next(matches, default)(attributes)

    return evaluate


@TABLE.built(
    "SelectUniqueValue",
    Parameter("rule1", "text"),
    Parameter("rule", "text", repeating=True),
    gives="text",
    contextual=True,
)
def select_unique_value(operands: Operands, context: EvaluationContext) -> Evaluate:
    """Return the first value that no resource of the target has yet.

    Here, the context says which values are taken; a mapping asks the target instead.
    """
    rules = [each.evaluate for each in operands if each is not EMPTY]
    taken = {each.casefold() for each in context.taken}

    def evaluate(attributes: AttributeValues) -> Value:
        made = (rule(attributes) for rule in rules)
        texts = (as_text(each) for each in made if not is_empty(each))
        free = next((each for each in texts if each.casefold() not in taken), None)
        if free is None:
            raise ValueFault("SelectUniqueValue finds no free value.")
        return free

    return evaluate


def _as_comparable(left: Value, right: Value) -> tuple[Any, Any] | None:
    """Return two numbers, else two dates if a function returned one of them."""
    first, second = as_number_or_none(left), as_number_or_none(right)
    if first is not None and second is not None:
        return first, second
    if not (isinstance(left, Moment) or isinstance(right, Moment)):
        return None
    early, late = as_moment_or_none(left), as_moment_or_none(right)
    return (early.at, late.at) if early and late else None


def _are_equal(left: Value, right: Value) -> bool:
    """Compare texts with case; a number equals its text."""
    if not (isinstance(left, str) and isinstance(right, str)):
        pair = _as_comparable(left, right)
        if pair is not None:
            return bool(pair[0] == pair[1])
    return as_text(left) == as_text(right)


def _build_comparison(holds: Callable[[Value, Value], bool]) -> Build:
    """Build a comparison; with null or an empty value none holds, not even `<>`.

    Only a literal "" compares as the empty text.
    """

    def build(operands: Operands) -> Evaluate:
        left, right = (each.evaluate for each in operands)
        needed = [not each.literal for each in operands]

        def evaluate(attributes: AttributeValues) -> Value:
            first, second = left(attributes), right(attributes)
            if first and second:  # the most frequent case
                return as_boolean(holds(first, second))
            if (needed[0] and is_empty(first)) or (needed[1] and is_empty(second)):
                return FALSE
            return as_boolean(holds(first, second))

        return evaluate

    return build


def _are_different(left: Value, right: Value) -> bool:
    return not _are_equal(left, right)


def _make_order(holds: Callable[[Any, Any], bool]) -> Callable[[Value, Value], bool]:
    """Order numbers (also as texts), else dates, else texts."""

    def compare(left: Value, right: Value) -> bool:
        pair = _as_comparable(left, right)
        return holds(*(pair or (as_text(left), as_text(right))))

    return compare


for _operator, _what, _holds in (
    ("=", "two values are equal", _are_equal),
    ("<>", "two values differ", _are_different),
    (">", "the left value is greater than the right one", _make_order(operator.gt)),
    (">=", "the left value is at least the right one", _make_order(operator.ge)),
    ("<", "the left value is less than the right one", _make_order(operator.lt)),
    ("<=", "the left value is at most the right one", _make_order(operator.le)),
):
    TABLE[_operator] = Function(
        _operator,
        (Parameter("left"), Parameter("right")),
        "boolean",
        f"Test whether {_what}.",
        _build_comparison(_holds),
    )


@TABLE.built("DefaultDomain", gives="text", contextual=True)
def default_domain(_operands: Operands, _context: EvaluationContext) -> Evaluate:
    """Return the tenant's default domain (`defaultDomain` of the Tenant)."""
    return build_fault(
        "DefaultDomain() has no domain to return. Set `defaultDomain:` in the Tenant."
    )


@TABLE.eager("IgnoreAttributeFlow", gives="nothing", bare=True)
def ignore_attribute() -> Value:
    """Skip the attribute: its value in the target stays unchanged."""
    raise AttributeIgnored


@TABLE.eager("IgnoreObjectFlow", gives="nothing", bare=True)
def ignore_object() -> Value:
    """Skip the object: it is neither created nor changed."""
    raise ObjectIgnored


@TABLE.eager("IgnoreFlowIfNullOrEmpty", Parameter("expression"), gives="any")
def ignore_if_empty(value: Value) -> Value:
    """Return a value, or skip the attribute if it is null or empty."""
    if is_empty(value):
        raise AttributeIgnored
    return value


@TABLE.built("Error", Parameter("message", "text"), gives="nothing")
def raise_error(operands: Operands) -> Evaluate:
    """Reject the object, with a message as the reason.

    The reason is a constant message only, because a computed one may contain values.
    """
    (message,) = operands

    def evaluate(attributes: AttributeValues) -> Value:
        text = as_text(message.evaluate(attributes))
        raise RaisedFault(text if message.constant and text else ERROR_REASON, text)

    return evaluate


@TABLE.eager("Redact", Parameter("value"), gives="any")
def redact(value: Value) -> Value:
    """Return a value that is written to the target, but never shown in logs."""
    return value
