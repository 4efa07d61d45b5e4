"""Functions on texts."""

from __future__ import annotations

import functools
import unicodedata
from typing import cast

from cloudforest.program.expressions import encodings
from cloudforest.program.expressions.encodings import normalize_diacritics
from cloudforest.program.expressions.function import (
    Function,
    Parameter,
    build_eager,
    build_per_text,
)
from cloudforest.program.expressions.replace import build_replace, check_replace
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
COMPARE_TYPES = ("vbBinaryCompare", "vbTextCompare")
_COMPARE_TYPE = Parameter("compareType", "text", optional=True, choice=COMPARE_TYPES)


def append(source: Value, suffix: Value) -> Value:
    """Append; null counts as an empty text, and two nulls stay null."""
    if source is None and suffix is None:
        return None
    end = as_text(suffix)
    if isinstance(source, tuple):
        return collect_texts(as_text(each) + end for each in source)
    whole = as_text(source)
    require_length(len(whole) + len(end))
    return whole + end


def concatenate(*parts: Value) -> Value:
    try:
        # Usually all parts are texts, and this is the fastest way.
        made = "".join(cast("tuple[str, ...]", parts))
        require_length(len(made))
        return made  # noqa: TRY300 - the rest handles the other case
    except TypeError:
        return functools.reduce(append, parts)


def join(separator: Value, *sources: Value) -> Value:
    """Join every value of every source; empty ones are skipped, blank ones not."""
    mark = as_text(separator)
    every = [as_text(each) for source in sources for each in as_items(source)]
    parts = [part for part in every if part]
    require_length(sum(map(len, parts)) + len(mark) * len(parts))
    return mark.join(parts)


def left(source: str, count: Value) -> str:
    length = as_integer(count)
    return source if length < 0 else source[:length]


def _to_length(value: Value) -> int:
    if (length := as_integer(value)) < 0:
        raise ValueFault("Mid does not accept a negative length.")
    return length


def mid(source: str, start: Value, length: Value = None) -> str:
    """Return characters from a position, counted from 1; by default, to the end."""
    first = as_integer(start) - 1
    if first < 0:
        raise ValueFault("Mid counts positions from 1, but the start is smaller.")
    return source[first:] if length is None else source[first:][: _to_length(length)]


def _change_case(source: str, *, upper: bool) -> str:
    """Change case letter by letter, as .NET does: ß has no upper case, Σ one lower."""
    whole = source.upper() if upper else source.lower()
    if source.isascii() or (len(whole) == len(source) and "\u03a3" not in source):
        return whole
    changed = ((each, each.upper() if upper else each.lower()) for each in source)
    return "".join(new if len(new) == 1 else old for old, new in changed)


def _is_dotted_culture(culture: Value) -> bool:
    return as_text(culture).lower().partition("-")[0] in _DOTTED_CULTURES


def to_lower(source: str, culture: Value = None) -> str:
    if culture and _is_dotted_culture(culture):
        source = source.replace("I", _DOTLESS_I).replace("İ", "i")
    return _change_case(source, upper=False)


def to_upper(source: str, culture: Value = None) -> str:
    if culture and _is_dotted_culture(culture):
        source = source.replace("i", "İ")
    return _change_case(source, upper=True)


def strip_spaces(source: str) -> str:
    return source.replace(" ", "")


def split(source: Value, delimiter: Value) -> Value:
    """Split, and trim the parts, as in the documented example."""
    if source is None:
        return None
    mark = as_text(delimiter)
    whole = as_text(source)
    return tuple(part.strip() for part in (whole.split(mark) if mark else [whole]))


def word(source: str, index: Value, delimiters: Value) -> str:
    """Return a word, counted from 1; each character of `delimiters` separates words."""
    marks = as_text(delimiters) or "\0"
    for mark in marks[1:]:
        source = source.replace(mark, marks[0])
    words = [each for each in source.split(marks[0]) if each]
    position = 0 if is_empty(index) else as_integer(index)
    return words[position - 1] if 1 <= position <= len(words) else ""


def count_characters(value: Value) -> Value:
    return len(as_text(value))


def find_position(
    source: Value, search: Value, start: Value = None, how: Value = None
) -> int:
    """Return a position, counted from 1, or 0; `vbTextCompare` ignores case."""
    whole, part = as_text(source), as_text(search)
    if how == "vbTextCompare":
        whole, part = whole.lower(), part.lower()
    first = 1 if start is None else as_integer(start)
    if first < 1:
        raise ValueFault("InStr counts positions from 1, but the start is smaller.")
    return whole.find(part, first - 1) + 1


def proper_case(source: str, separators: Value = None) -> str:
    """Capitalize each word; by default, all but letters and digits separate words."""
    marks = as_text(separators)
    if not marks and source.isascii() and source.isalpha():
        return source.capitalize()
    parts, begins = [], True
    for each in _change_case(source, upper=False):
        parts.append(_change_case(each, upper=True) if begins else each)
        begins = each in marks if marks else unicodedata.category(each)[0] in "ZCPS"
    return "".join(parts)


TEXT_FUNCTIONS = (
    Function(
        "Append",
        (_SOURCE, Parameter("suffix", "text")),
        "values",
        "Append a suffix to a text.",
        build_eager(append),
    ),
    Function(
        "&",
        (Parameter("first", "values"), Parameter("next", "text", repeating=True)),
        "values",
        "Join texts end to end.",
        build_eager(concatenate),
    ),
    Function(
        "ConvertFromBase64",
        (
            _SOURCE,
            Parameter(
                "encoding", "text", optional=True, choice=tuple(encodings.CODECS)
            ),
        ),
        "values",
        "Decode a base64 text; the default encoding is UTF-16.",
        build_per_text(encodings.from_base64),
    ),
    Function(
        "ConvertToBase64",
        (_SOURCE,),
        "values",
        "Encode a text in base64, as UTF-16.",
        build_per_text(encodings.to_base64),
    ),
    Function(
        "ConvertToUTF8Hex",
        (_SOURCE,),
        "values",
        "Encode a text in hexadecimal, as UTF-8.",
        build_per_text(encodings.to_utf8_hex),
    ),
    Function(
        "InStr",
        (
            Parameter("value1", "text"),
            Parameter("value2", "text"),
            Parameter("start", "number", optional=True),
            _COMPARE_TYPE,
        ),
        "number",
        "Return the position of a text in another, counted from 1, or 0.",
        build_eager(find_position),
    ),
    Function(
        "Join",
        (Parameter("separator", "text"), Parameter("source", "values", repeating=True)),
        "text",
        "Join texts with a separator; empty ones are skipped.",
        build_eager(join),
    ),
    Function(
        "Left",
        (_SOURCE, Parameter("count", "number")),
        "values",
        "Return the first characters of a text.",
        build_per_text(left, null=""),
    ),
    Function(
        "Len",
        (Parameter("source", "text"),),
        "number",
        "Count the characters of a text.",
        build_eager(count_characters),
    ),
    Function(
        "Mid",
        (
            _SOURCE,
            Parameter("start", "number"),
            Parameter("length", "number", optional=True),
        ),
        "values",
        "Return a part of a text from a position, counted from 1.",
        build_per_text(mid, null=""),
    ),
    Function(
        "NormalizeDiacritics",
        (_SOURCE,),
        "values",
        "Replace letters with diacritics by plain ones, for example é by e.",
        build_per_text(normalize_diacritics),
    ),
    Function(
        "PCase",
        (_SOURCE, Parameter("wordSeparators", "text", optional=True)),
        "values",
        "Capitalize each word.",
        build_per_text(proper_case),
    ),
    Function(
        "Replace",
        (
            _SOURCE,
            Parameter("oldValue", "text", optional=True),
            Parameter("regexPattern", "text", optional=True),
            Parameter("regexGroupName", "text", optional=True),
            Parameter("replacementValue", "text", optional=True),
            Parameter("replacementAttributeName", "text", optional=True),
            Parameter("template", "text", optional=True),
        ),
        "values",
        "Replace parts of a text, found by text or by regular expression.",
        build_replace,
        check=check_replace,
    ),
    Function(
        "Split",
        (Parameter("source", "text"), Parameter("delimiter", "text")),
        "values",
        "Split a text at a separator, and trim the parts.",
        build_eager(split),
    ),
    Function(
        "StripSpaces",
        (_SOURCE,),
        "values",
        "Remove all spaces from a text.",
        build_per_text(strip_spaces),
    ),
    Function(
        "ToLower",
        (_SOURCE, _CULTURE),
        "values",
        "Convert a text to lower case.",
        build_per_text(to_lower),
    ),
    Function(
        "ToUpper",
        (_SOURCE, _CULTURE),
        "values",
        "Convert a text to upper case.",
        build_per_text(to_upper),
    ),
    Function(
        "Trim",
        (_SOURCE,),
        "values",
        "Remove white space from both ends of a text.",
        build_per_text(str.strip),
    ),
    Function(
        "Word",
        (
            _SOURCE,
            Parameter("number", "number"),
            Parameter("delimiters", "text"),
        ),
        "values",
        "Return a word, counted from 1; each character of delimiters separates words.",
        build_per_text(word, null=""),
    ),
)
