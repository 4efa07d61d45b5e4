"""Functions on texts."""

from __future__ import annotations

import functools
import unicodedata
from typing import cast

from cloudforest.program.expressions.function import (
    COMPARE_TYPE,
    FunctionTable,
    Parameter,
)
from cloudforest.program.expressions.values import (
    Value,
    as_integer,
    as_items,
    as_text,
    collect_texts,
    is_empty,
    require_length,
)
from cloudforest.program.faults import ValueFault

_DOTLESS_I = "\u0131"
_DOTTED_CULTURES = frozenset({"tr", "az"})
_SOURCE = Parameter("source", "values")
_CULTURE = Parameter("culture", "text", optional=True)
TABLE = FunctionTable()


@TABLE.per_text("Trim", _SOURCE)
def trim(source: str) -> str:
    """Remove white space from both ends of a text."""
    return source.strip()


@TABLE.eager("Append", _SOURCE, Parameter("suffix", "text"), gives="values")
def append(source: Value, suffix: Value) -> Value:
    """Append a suffix to a text.

    Null counts as an empty text, and two nulls stay null.
    """
    if source is None and suffix is None:
        return None
    end = as_text(suffix)
    if isinstance(source, tuple):
        return collect_texts(as_text(each) + end for each in source)
    whole = as_text(source)
    require_length(len(whole) + len(end))
    return whole + end


@TABLE.eager(
    "&",
    Parameter("first", "values"),
    Parameter("next", "text", repeating=True),
    gives="values",
)
def concatenate(*parts: Value) -> Value:
    """Join texts end to end."""
    try:
        # Usually all parts are texts, and this is the fastest way.
        made = "".join(cast("tuple[str, ...]", parts))
        require_length(len(made))
        return made  # noqa: TRY300 - the rest handles the other case
    except TypeError:
        return functools.reduce(append, parts)


@TABLE.eager(
    "Join",
    Parameter("separator", "text"),
    Parameter("source", "values", repeating=True),
    gives="text",
)
def join(separator: Value, *sources: Value) -> Value:
    """Join texts with a separator; empty ones are skipped."""
    mark = as_text(separator)
    every = [as_text(each) for source in sources for each in as_items(source)]
    parts = [part for part in every if part]
    require_length(sum(map(len, parts)) + len(mark) * len(parts))
    return mark.join(parts)


@TABLE.per_text("Left", _SOURCE, Parameter("count", "number"), null="")
def left(source: str, count: Value) -> str:
    """Return the first characters of a text."""
    length = as_integer(count)
    return source if length < 0 else source[:length]


@TABLE.per_text(
    "Mid",
    _SOURCE,
    Parameter("start", "number"),
    Parameter("length", "number", optional=True),
    null="",
)
def mid(source: str, start: Value, length: Value = None) -> str:
    """Return a part of a text from a position, counted from 1."""
    first = as_integer(start) - 1
    if first < 0:
        raise ValueFault("Mid counts positions from 1, but the start is smaller.")
    count = None if length is None else as_integer(length)
    if count is not None and count < 0:
        raise ValueFault("Mid does not accept a negative length.")
    return source[first:][:count]


def _change_case(source: str, *, upper: bool) -> str:
    """Change case letter by letter, as .NET does: ß has no upper case, Σ one lower."""
    whole = source.upper() if upper else source.lower()
    if source.isascii() or (len(whole) == len(source) and "\u03a3" not in source):
        return whole
    changed = ((each, each.upper() if upper else each.lower()) for each in source)
    return "".join(new if len(new) == 1 else old for old, new in changed)


def _is_dotted_culture(culture: Value) -> bool:
    return as_text(culture).lower().partition("-")[0] in _DOTTED_CULTURES


@TABLE.per_text("ToLower", _SOURCE, _CULTURE)
def to_lower(source: str, culture: Value = None) -> str:
    """Convert a text to lower case."""
    if culture and _is_dotted_culture(culture):
        source = source.replace("I", _DOTLESS_I).replace("İ", "i")
    return _change_case(source, upper=False)


@TABLE.per_text("ToUpper", _SOURCE, _CULTURE)
def to_upper(source: str, culture: Value = None) -> str:
    """Convert a text to upper case."""
    if culture and _is_dotted_culture(culture):
        source = source.replace("i", "İ")
    return _change_case(source, upper=True)


@TABLE.per_text("StripSpaces", _SOURCE)
def strip_spaces(source: str) -> str:
    """Remove all spaces from a text."""
    return source.replace(" ", "")


@TABLE.eager(
    "Split", Parameter("source", "text"), Parameter("delimiter", "text"), gives="values"
)
def split(source: Value, delimiter: Value) -> Value:
    """Split a text at a separator, and trim the parts."""
    if source is None:
        return None
    mark, whole = as_text(delimiter), as_text(source)
    return tuple(part.strip() for part in (whole.split(mark) if mark else [whole]))


@TABLE.per_text(
    "Word",
    _SOURCE,
    Parameter("number", "number"),
    Parameter("delimiters", "text"),
    null="",
)
def word(source: str, index: Value, delimiters: Value) -> str:
    """Return a word, counted from 1; each character of delimiters separates words."""
    marks = as_text(delimiters) or "\0"
    for mark in marks[1:]:
        source = source.replace(mark, marks[0])
    words = [each for each in source.split(marks[0]) if each]
    position = 0 if is_empty(index) else as_integer(index)
    return words[position - 1] if 1 <= position <= len(words) else ""


@TABLE.eager("Len", Parameter("source", "text"), gives="number")
def count_characters(value: Value) -> Value:
    """Count the characters of a text."""
    return len(as_text(value))


@TABLE.eager(
    "InStr",
    Parameter("value1", "text"),
    Parameter("value2", "text"),
    Parameter("start", "number", optional=True),
    COMPARE_TYPE,
    gives="number",
)
def find_position(
    source: Value, search: Value, start: Value = None, how: Value = None
) -> int:
    """Return the position of a text in another, counted from 1, or 0."""
    whole, part = as_text(source), as_text(search)
    if how == "vbTextCompare":
        whole, part = whole.lower(), part.lower()
    first = 1 if start is None else as_integer(start)
    if first < 1:
        raise ValueFault("InStr counts positions from 1, but the start is smaller.")
    return whole.find(part, first - 1) + 1


@TABLE.per_text("PCase", _SOURCE, Parameter("wordSeparators", "text", optional=True))
def proper_case(source: str, separators: Value = None) -> str:
    """Capitalize each word.

    By default, all but letters and digits separate words.
    """
    marks = as_text(separators)
    if not marks and source.isascii() and source.isalpha():
        return source.capitalize()
    parts, begins = [], True
    for each in _change_case(source, upper=False):
        parts.append(_change_case(each, upper=True) if begins else each)
        begins = each in marks if marks else unicodedata.category(each)[0] in "ZCPS"
    return "".join(parts)
