"""Laws that hold for every text as an expression, and for every object."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from cloudforest.program.expressions.analysis import (
    find_expression_attributes,
    find_impure_functions,
    is_constant,
)
from cloudforest.program.expressions.evaluate import compile_expression
from cloudforest.program.expressions.function import EvaluationContext
from cloudforest.program.expressions.regex import TOO_SLOW
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.expressions.trial import (
    explain_expression,
    try_expression,
    write_expression,
)
from cloudforest.program.expressions.values import MAX_TEXT_LENGTH
from cloudforest.program.faults import SyntaxFault

SETTING = EvaluationContext(
    now=datetime(2026, 11, 23, 12, tzinfo=UTC), taken=frozenset({"a", "ä"})
)


def parsed(text: str):
    """Parse; the only error is a fault with an offset in the text."""
    try:
        return parse_expression(text)
    except SyntaxFault as fault:
        offset = fault.offset
    assert 0 <= offset <= len(text), (offset, text)
    return None


def hold(text: str, attributes: Mapping[str, tuple[str, ...]]) -> bool:
    """Check the laws for one expression and object; return False if it does not parse.

    A parsed expression compiles. Its result is a value or a fault, and JSON of limited
    size. A written expression parses to the same tree. A constant one is the same for
    all objects. Explained, where no part is evaluated in advance, it has the same
    result.
    """
    expression = parsed(text)
    if expression is None:
        assert try_expression(text, attributes, SETTING).kind == "error"
        return False
    compile_expression(expression)
    again = write_expression(expression)
    assert len(again) > len(text) * 4 or parsed(again) == expression, again
    result = try_expression(text, attributes, SETTING)
    whole = msgspec.json.encode(result.content)
    assert len(whole) <= 8 * (MAX_TEXT_LENGTH + len(text) + size(attributes))
    pure = not find_impure_functions(expression)
    if pure and is_constant(expression):
        assert not find_expression_attributes(expression)
        assert try_expression(text, {}, SETTING) == result
    explained = explain_expression(text, attributes, SETTING).result
    too_slow = TOO_SLOW in (explained.content, result.content)
    assert not pure or explained == result or too_slow, explained
    return True


def size(attributes: Mapping[str, tuple[str, ...]]) -> int:
    return sum(len(each) for values in attributes.values() for each in values)
