"""Replace, in its documented modes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cloudforest.model.program import Expression, Literally
from cloudforest.program.expressions.function import (
    Arguments,
    Evaluate,
    Operand,
    Row,
    Wrong,
    evaluator,
)
from cloudforest.program.expressions.regex import (
    Patience,
    Substitute,
    compiled,
    extract,
    group_substitution,
    substitution,
)
from cloudforest.program.expressions.regex_syntax import PatternFault
from cloudforest.program.expressions.values import (
    Value,
    gathered,
    is_empty,
    require_room,
    text,
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
    "Replace needs, after its source, one of: an old value and a replacement; an old"
    " value and a template; a regular expression and a replacement, with or without a"
    " group name; a regular expression, a group name and another attribute."
)

Argument = Expression | Operand | None


def _is_given(position: int, argument: Argument) -> bool:
    """Count an empty text as no argument, except as what replaces."""
    if argument is None:
        return False
    if isinstance(argument, Operand):
        is_blank = argument.literal and argument.evaluate({}) == ""
    else:
        is_blank = argument == Literally(value="")
    return position == REPLACEMENT or not is_blank


def _mode(arguments: Sequence[Argument]) -> str | None:
    given = frozenset(
        position
        for position, each in enumerate(arguments)
        if position != SOURCE and _is_given(position, each)
    )
    return _MODES.get(given)


def _literal(arguments: Arguments, position: int) -> str | None:
    argument = arguments[position] if position < len(arguments) else None
    return text(argument.value) if isinstance(argument, Literally) else None


def replace_is_wrong(arguments: Arguments) -> Wrong | None:
    """Check the mode, and a regular expression and group name that are constant."""
    if _mode(arguments) is None:
        return Wrong(_WRONG_MODE)
    written = _literal(arguments, PATTERN)
    if not written:
        return None
    try:
        pattern = compiled(written)
    except PatternFault as fault:
        return Wrong(fault.message, PATTERN, fault.offset)
    group = _literal(arguments, GROUP)
    if group and group not in pattern.groupindex:
        return Wrong(f"The regular expression has no group {group}.", GROUP)
    return None


def _mapped(value: Value, substitute: Substitute) -> Value:
    if value is None:
        return None
    if isinstance(value, tuple):
        return gathered(substitute(text(each)) for each in value)
    return substitute(text(value))


Substitution = Callable[[Row], Substitute]


def _replaced(source: str, old: str, new: str) -> str:
    if not old:
        return source
    require_room(len(source) + source.count(old) * len(new))
    return source.replace(old, new)


def _plain(old: Evaluate, new: Evaluate) -> Substitution:
    def prepare(row: Row) -> Substitute:
        before, after = text(old(row)), text(new(row))
        return lambda source: _replaced(source, before, after)

    return prepare


def _into_template(old: Evaluate, template: Evaluate) -> Substitution:
    def prepare(row: Row) -> Substitute:
        before, frame = text(old(row)), text(template(row))
        return lambda source: _replaced(frame, before, source)

    return prepare


def _by_pattern(pattern: Evaluate, new: Evaluate) -> Substitution:
    patience = Patience()

    def prepare(row: Row) -> Substitute:
        if not (written := text(pattern(row))):
            return str
        return substitution(compiled(written), text(new(row)), patience)

    return prepare


def _by_group(pattern: Evaluate, group: Evaluate, new: Evaluate) -> Substitution:
    patience = Patience()

    def prepare(row: Row) -> Substitute:
        if not (written := text(pattern(row))):
            return str
        named, replacement = text(group(row)), text(new(row))
        return group_substitution(
            compiled(written), named, patience, replacement=replacement
        )

    return prepare


def _from_other(parts: Sequence[Evaluate]) -> Evaluate:
    """Return the source if it has a value, else a part of another attribute.

    The two documentation pages say opposite things; the documented example decides.
    """
    patience = Patience()

    def evaluate(row: Row) -> Value:
        if not is_empty(value := parts[SOURCE](row)):
            return value
        if not (written := text(parts[PATTERN](row))):
            return value
        pattern = compiled(written)
        other = text(parts[OTHER](row))
        return extract(pattern, text(parts[GROUP](row)), patience, source=other)

    return evaluate


def _substitution(mode: str, parts: Sequence[Evaluate]) -> Substitution:
    match mode:
        case "text":
            return _plain(parts[OLD], parts[REPLACEMENT])
        case "template":
            return _into_template(parts[OLD], parts[TEMPLATE])
        case "pattern":
            return _by_pattern(parts[PATTERN], parts[REPLACEMENT])
        case _:
            return _by_group(parts[PATTERN], parts[GROUP], parts[REPLACEMENT])


def replace(operands: Sequence[Operand | None]) -> Evaluate:
    """Prepare what is constant once, not for each object."""
    mode = _mode(operands) or "text"
    padded = [*operands, *[None] * (TEMPLATE + 1 - len(operands))]
    parts = [evaluator(each) for each in padded]
    if mode == "other":
        return _from_other(parts)
    source, prepare = parts[SOURCE], _substitution(mode, parts)
    if all(each is None or each.constant for each in operands[OLD:]):
        try:
            ready = prepare({})
        except ValueFault:  # of every object, and none of them is here yet
            return lambda row: _mapped(source(row), prepare(row))
        return lambda row: _mapped(source(row), ready)
    return lambda row: _mapped(source(row), prepare(row))
