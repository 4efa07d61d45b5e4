"""The function Replace, in its documented modes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from cloudforest.model.program import Constant, Expression
from cloudforest.program.expressions.function import (
    EMPTY,
    Arguments,
    AttributeValues,
    CallFault,
    Evaluate,
    FunctionTable,
    Operand,
    Operands,
    Parameter,
    apply_to_texts,
    build_per_text,
)
from cloudforest.program.expressions.regex import (
    MatchTimeLimit,
    Substitute,
    compile_pattern,
    extract_group,
    make_group_substitution,
    make_substitution,
)
from cloudforest.program.expressions.regex_syntax import PatternFault
from cloudforest.program.expressions.values import (
    Value,
    as_text,
    is_empty,
    require_length,
)
from cloudforest.program.faults import ValueFault

SOURCE, OLD, PATTERN, GROUP, REPLACEMENT, OTHER, TEMPLATE = range(7)
_MODES: dict[frozenset[int], str] = {
    frozenset({OLD, REPLACEMENT}): "text",
    frozenset({OLD, TEMPLATE}): "template",
    frozenset({PATTERN, REPLACEMENT}): "pattern",
    frozenset({PATTERN, GROUP, REPLACEMENT}): "group",
    frozenset({PATTERN, GROUP, OTHER}): "other",
}
_WRONG_MODE = (
    "Replace needs, after its source, one of: oldValue + replacementValue; oldValue +"
    " template; regexPattern + replacementValue; regexPattern + regexGroupName +"
    " replacementValue; regexPattern + regexGroupName + replacementAttributeName."
)

TABLE = FunctionTable()
Argument = Expression | Operand | None


def _is_given(position: int, argument: Argument) -> bool:
    """Tell whether an argument is given; an empty text is one only as replacement."""
    if argument is None or argument is EMPTY:
        return False
    if isinstance(argument, Operand):
        is_blank = argument.literal and argument.evaluate({}) == ""
    else:
        is_blank = argument == Constant(value="")
    return position == REPLACEMENT or not is_blank


def _find_mode(arguments: Sequence[Argument]) -> str | None:
    places = range(OLD, len(arguments))
    return _MODES.get(frozenset(at for at in places if _is_given(at, arguments[at])))


def _constant_text(arguments: Arguments, position: int) -> str | None:
    argument = arguments[position] if position < len(arguments) else None
    return as_text(argument.value) if isinstance(argument, Constant) else None


def check_replace(arguments: Arguments) -> CallFault | None:
    """Check the mode, and a constant regular expression and group name."""
    if _find_mode(arguments) is None:
        return CallFault(_WRONG_MODE)
    text = _constant_text(arguments, PATTERN)
    if not text:
        return None
    try:
        pattern = compile_pattern(text)
    except PatternFault as fault:
        return CallFault(fault.message, PATTERN, fault.offset)
    group = _constant_text(arguments, GROUP)
    if group and group not in pattern.groupindex:
        return CallFault(f'The regular expression has no group "{group}".', GROUP)
    return None


def _replace_text(source: str, old: str, new: str) -> str:
    if not old:
        return source
    require_length(len(source) + source.count(old) * len(new))
    return source.replace(old, new)


def _build_from_other(parts: Sequence[Evaluate]) -> Evaluate:
    """Return the source if it has a value, else a part of another attribute.

    Two pages of Microsoft's documentation contradict each other; its example decides.
    """
    time_limit = MatchTimeLimit()

    def evaluate(attributes: AttributeValues) -> Value:
        if not is_empty(value := parts[SOURCE](attributes)):
            return value
        if not (text := as_text(parts[PATTERN](attributes))):
            return value
        pattern = compile_pattern(text)
        other = as_text(parts[OTHER](attributes))
        group = as_text(parts[GROUP](attributes))
        return extract_group(pattern, group, other, time_limit)

    return evaluate


def _make_substitute(
    mode: str, text_at: Callable[[int], str], time_limit: MatchTimeLimit
) -> Substitute:
    """Make a substitution; `text_at` returns the argument at a position."""
    if mode == "text":
        old, new = text_at(OLD), text_at(REPLACEMENT)
        return lambda source: _replace_text(source, old, new)
    if mode == "template":
        old, template = text_at(OLD), text_at(TEMPLATE)
        return lambda source: _replace_text(template, old, source)
    if not (text := text_at(PATTERN)):
        return str
    if mode == "pattern":
        pattern = compile_pattern(text)
        return make_substitution(pattern, text_at(REPLACEMENT), time_limit)
    group, new = text_at(GROUP), text_at(REPLACEMENT)
    return make_group_substitution(compile_pattern(text), group, new, time_limit)


@TABLE.built(
    "Replace",
    Parameter("source", "values"),
    Parameter("oldValue", "text", optional=True),
    Parameter("regexPattern", "text", optional=True),
    Parameter("regexGroupName", "text", optional=True),
    Parameter("replacementValue", "text", optional=True),
    Parameter("replacementAttributeName", "text", optional=True),
    Parameter("template", "text", optional=True),
    gives="values",
    check=check_replace,
)
def build_replace(operands: Operands) -> Evaluate:
    """Replace parts of a text, found by text or by regular expression.

    Constant arguments are prepared once.
    """
    mode = _find_mode(operands) or "text"
    padded = [*operands, *[EMPTY] * (TEMPLATE + 1 - len(operands))]
    parts = [each.evaluate for each in padded]
    if mode == "other":
        return _build_from_other(parts)
    time_limit = MatchTimeLimit()

    def prepare(attributes: AttributeValues) -> Substitute:
        return _make_substitute(
            mode, lambda position: as_text(parts[position](attributes)), time_limit
        )

    def evaluate(attributes: AttributeValues) -> Value:
        value = parts[SOURCE](attributes)
        return apply_to_texts(prepare(attributes), None, value)

    if all(each.constant for each in operands[OLD:]):
        with suppress(ValueFault):  # raised again for each object
            return build_per_text(prepare({}))(operands[:OLD])
    return evaluate
