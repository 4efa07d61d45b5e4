"""Functions that choose, and the comparisons that they choose by."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from cloudforest.model.program import Expression
from cloudforest.program.expressions.functions.shape import (
    Build,
    Evaluate,
    Operand,
    Row,
    eager,
    evaluator,
)
from cloudforest.program.expressions.functions.values import (
    FALSE,
    Value,
    boolean,
    is_empty,
    number_or_none,
    text,
    truth,
)

_ORDER: dict[str, Callable[..., bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def iif(operands: Sequence[Operand | None]) -> Evaluate:
    """Only the branch that is chosen is evaluated."""
    condition, wanted, otherwise = map(evaluator, operands)

    def evaluate(row: Row) -> Value:
        return wanted(row) if truth(condition(row)) else otherwise(row)

    return evaluate


def coalesce(operands: Sequence[Operand | None]) -> Evaluate:
    """Take the first that is neither null nor empty, else the last as it is."""
    *sources, last = map(evaluator, operands)

    def evaluate(row: Row) -> Value:
        for each in sources:
            if not is_empty(value := each(row)):
                return value
        return last(row)

    return evaluate


def switch_is_odd(arguments: Sequence[Expression | None]) -> str | None:
    if len(arguments) % 2 == 0:
        return None
    return "Switch needs a value after each key; the last key has none."


def _constant_cases(
    keys: Sequence[Operand | None], values: Sequence[Evaluate]
) -> dict[str, Evaluate]:
    """Of equal keys the first one counts."""
    named = [text(evaluator(each)({})) for each in keys]
    return dict(reversed(list(zip(named, values, strict=True))))


def switch(operands: Sequence[Operand | None]) -> Evaluate:
    """Keys differ by case; the key "" is that of null and of the empty text."""
    source, default = map(evaluator, operands[:2])
    keys = operands[2::2]
    values = [evaluator(each) for each in operands[3::2]]

    if all(each is None or each.constant for each in keys):
        cases = _constant_cases(keys, values)
        return lambda row: cases.get(text(source(row)), default)(row)

    pairs = list(zip(map(evaluator, keys), values, strict=True))

    def evaluate(row: Row) -> Value:
        wanted = text(source(row))
        found = (value for key, value in pairs if text(key(row)) == wanted)
        return next(found, default)(row)

    return evaluate


def _numbers(left: Value, right: Value) -> tuple[float, float] | None:
    first, second = number_or_none(left), number_or_none(right)
    return None if first is None or second is None else (first, second)


def _are_equal(left: Value, right: Value) -> bool:
    if not (isinstance(left, str) and isinstance(right, str)):
        numbers = _numbers(left, right)
        if numbers is not None:
            return numbers[0] == numbers[1]
    return text(left) == text(right)


def equality(*, wanted: bool) -> Build:
    """Two texts are equal letter by letter; a number equals a text that spells it.

    A comparison with null never holds, `<>` included.
    """

    def compare(left: Value, right: Value) -> Value:
        if left is None or right is None:
            return FALSE
        return boolean(_are_equal(left, right) is wanted)

    return eager(compare)


def ordering(name: str) -> Build:
    """Numbers, and texts that spell numbers, in their order; other texts in theirs.

    A comparison with null never holds.
    """
    holds = _ORDER[name]

    def compare(left: Value, right: Value) -> Value:
        if left is None or right is None:
            return FALSE
        pair = _numbers(left, right) or (text(left), text(right))
        return boolean(holds(*pair))

    return eager(compare)
