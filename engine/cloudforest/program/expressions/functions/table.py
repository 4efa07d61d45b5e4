"""The table of functions: names, arguments, and what each is for."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from cloudforest.model.program import Expression
from cloudforest.program.expressions.functions import choice, lists, replacement, texts
from cloudforest.program.expressions.functions.diacritics import normalize_diacritics
from cloudforest.program.expressions.functions.shape import (
    Build,
    Function,
    each_text,
    eager,
)

OPERATORS = ("=", "<>", ">", ">=", "<", "<=", "&")

_ROWS: tuple[tuple[str, int, int | None, str, Build], ...] = (
    ("Append", 2, 2, "Put a text behind another.", eager(texts.append)),
    ("BitAnd", 2, 2, "Keep the bits that two numbers share.", eager(lists.bit_and)),
    ("CBool", 1, 1, "Say whether a value is true.", eager(lists.to_boolean)),
    ("Coalesce", 1, None, "Take the first source with a value.", choice.coalesce),
    ("Count", 1, 1, "Count the values of an attribute.", eager(lists.count)),
    ("CStr", 1, 1, "Write a value as a text.", eager(lists.to_text)),
    ("IIF", 3, 3, "Take one of two values by a condition.", choice.iif),
    ("InStr", 2, 4, "Find a text within another.", eager(texts.position)),
    ("IsNull", 1, 1, "Say whether there is no value.", eager(lists.is_null)),
    (
        "IsNullOrEmpty",
        1,
        1,
        "Say whether there is no value, or an empty one.",
        eager(lists.is_null_or_empty),
    ),
    ("IsPresent", 1, 1, "Say whether there is a value.", eager(lists.is_present)),
    ("Item", 2, 2, "Take one of several values.", eager(lists.item)),
    ("Join", 2, None, "Put texts together with a separator.", eager(texts.join)),
    ("Left", 2, 2, "Take the first characters.", each_text(texts.left, null="")),
    ("Len", 1, 1, "Count the characters.", eager(texts.length)),
    ("Mid", 2, 3, "Take characters from within.", each_text(texts.mid, null="")),
    (
        "NormalizeDiacritics",
        1,
        1,
        "Replace letters with marks by plain ones.",
        each_text(normalize_diacritics),
    ),
    (
        "Not",
        1,
        1,
        "Turn true into false, anything else into true.",
        eager(lists.negation),
    ),
    ("PCase", 1, 2, "Capitalise each word.", each_text(texts.proper_case)),
    (
        "RemoveDuplicates",
        1,
        1,
        "Keep one of each value.",
        eager(lists.remove_duplicates),
    ),
    ("Split", 2, 2, "Take a text apart at a separator.", eager(texts.split)),
    ("StripSpaces", 1, 1, "Remove all spaces.", each_text(texts.strip_spaces)),
    ("ToLower", 1, 2, "Write in lower case.", each_text(texts.to_lower)),
    ("ToUpper", 1, 2, "Write in upper case.", each_text(texts.to_upper)),
    ("Trim", 1, 1, "Remove white space at both ends.", each_text(str.strip)),
    ("Word", 3, 3, "Take one word.", each_text(texts.word, null="")),
    ("=", 2, 2, "Say whether two values are equal.", choice.equality(wanted=True)),
    ("<>", 2, 2, "Say whether two values differ.", choice.equality(wanted=False)),
    (">", 2, 2, "Say whether a value is greater.", choice.ordering(">")),
    (">=", 2, 2, "Say whether a value is not less.", choice.ordering(">=")),
    ("<", 2, 2, "Say whether a value is less.", choice.ordering("<")),
    ("<=", 2, 2, "Say whether a value is not greater.", choice.ordering("<=")),
    ("&", 2, None, "Put texts behind one another.", eager(texts.concatenate)),
)

_SPECIAL = (
    Function(
        name="Replace",
        minimum=5,
        maximum=7,
        summary="Replace parts of a text, by text or by regular expression.",
        build=replacement.replace,
        optional=frozenset(range(1, 5)),
        check=replacement.replace_is_wrong,
    ),
    Function(
        name="Switch",
        minimum=4,
        maximum=None,
        summary="Take the value whose key equals the source.",
        build=choice.switch,
        optional=frozenset({1}),
        check=choice.switch_is_odd,
    ),
)

FUNCTIONS: dict[str, Function] = {
    each.name: each for each in (*(Function(*row) for row in _ROWS), *_SPECIAL)
}


def _expected(function: Function) -> str:
    low, high = function.minimum, function.maximum
    if high is None:
        return f"at least {low}"
    return f"{low}" if low == high else f"{low} to {high}"


def _unknown(name: str) -> str:
    names = {each.lower(): each for each in FUNCTIONS if each not in OPERATORS}
    close = get_close_matches(name.lower(), names, n=1, cutoff=0.7)
    hint = f" Did you mean {names[close[0]]}?" if close else ""
    return f"There is no function {name}.{hint}"


def _is_left_empty(function: Function, arguments: Sequence[Expression | None]) -> bool:
    return any(
        each is None and position not in function.optional
        for position, each in enumerate(arguments[: function.minimum])
    )


def complaint(name: str, arguments: Sequence[Expression | None]) -> str | None:
    """Return what is wrong with a call, as a sentence, or None."""
    function = FUNCTIONS.get(name)
    if function is None:
        return _unknown(name)
    count = len(arguments)
    high = count if function.maximum is None else function.maximum
    if not function.minimum <= count <= high:
        return f"{name} takes {_expected(function)} arguments, and {count} are given."
    if _is_left_empty(function, arguments):
        return f"{name} needs an argument that is left empty."
    return function.check(arguments) if function.check else None
