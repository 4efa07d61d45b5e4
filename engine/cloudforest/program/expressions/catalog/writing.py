"""Functions on texts."""

from __future__ import annotations

from cloudforest.program.expressions.functions import encodings, texts
from cloudforest.program.expressions.functions.diacritics import normalize_diacritics
from cloudforest.program.expressions.functions.regular.replacement import (
    replace,
    replace_is_wrong,
)
from cloudforest.program.expressions.functions.shape import (
    Function,
    Parameter,
    each_text,
    eager,
)

_SOURCE = Parameter("source", "values")
_CULTURE = Parameter("culture", "text", optional=True)
COMPARING = ("vbBinaryCompare", "vbTextCompare")
_HOW = Parameter("compareType", "text", optional=True, choice=COMPARING)

WRITING = (
    Function(
        "Append",
        (_SOURCE, Parameter("suffix", "text")),
        "values",
        "Put a text behind another.",
        eager(texts.append),
    ),
    Function(
        "&",
        (Parameter("first", "values"), Parameter("next", "text", repeating=True)),
        "values",
        "Put texts behind one another.",
        eager(texts.concatenate),
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
        "Decode base64, of UTF-16 unless an encoding is named.",
        each_text(encodings.from_base64),
    ),
    Function(
        "ConvertToBase64",
        (_SOURCE,),
        "values",
        "Encode the UTF-16 of a text in base64.",
        each_text(encodings.to_base64),
    ),
    Function(
        "ConvertToUTF8Hex",
        (_SOURCE,),
        "values",
        "Write the UTF-8 of a text in hexadecimal.",
        each_text(encodings.to_utf8_hex),
    ),
    Function(
        "InStr",
        (
            Parameter("value1", "text"),
            Parameter("value2", "text"),
            Parameter("start", "number", optional=True),
            _HOW,
        ),
        "number",
        "Find a text within another: its position from 1, or 0.",
        eager(texts.position),
    ),
    Function(
        "Join",
        (Parameter("separator", "text"), Parameter("source", "values", repeating=True)),
        "text",
        "Put texts together with a separator; empty ones are skipped.",
        eager(texts.join),
    ),
    Function(
        "Left",
        (_SOURCE, Parameter("count", "number")),
        "values",
        "Take the first characters.",
        each_text(texts.left, null=""),
    ),
    Function(
        "Len",
        (Parameter("source", "text"),),
        "number",
        "Count the characters.",
        eager(texts.length),
    ),
    Function(
        "Mid",
        (
            _SOURCE,
            Parameter("start", "number"),
            Parameter("length", "number", optional=True),
        ),
        "values",
        "Take characters from within, from 1; without a length, to the end.",
        each_text(texts.mid, null=""),
    ),
    Function(
        "NormalizeDiacritics",
        (_SOURCE,),
        "values",
        "Replace letters with marks by plain ones.",
        each_text(normalize_diacritics),
    ),
    Function(
        "PCase",
        (_SOURCE, Parameter("wordSeparators", "text", optional=True)),
        "values",
        "Capitalise each word.",
        each_text(texts.proper_case),
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
        "Replace parts of a text, by text or by regular expression.",
        replace,
        check=replace_is_wrong,
    ),
    Function(
        "Split",
        (Parameter("source", "text"), Parameter("delimiter", "text")),
        "values",
        "Take a text apart at a separator, without the space around the parts.",
        eager(texts.split),
    ),
    Function(
        "StripSpaces",
        (_SOURCE,),
        "values",
        "Remove all spaces.",
        each_text(texts.strip_spaces),
    ),
    Function(
        "ToLower",
        (_SOURCE, _CULTURE),
        "values",
        "Write in lower case.",
        each_text(texts.to_lower),
    ),
    Function(
        "ToUpper",
        (_SOURCE, _CULTURE),
        "values",
        "Write in upper case.",
        each_text(texts.to_upper),
    ),
    Function(
        "Trim",
        (_SOURCE,),
        "values",
        "Remove white space at both ends.",
        each_text(str.strip),
    ),
    Function(
        "Word",
        (
            _SOURCE,
            Parameter("number", "number"),
            Parameter("delimiters", "text"),
        ),
        "values",
        "Take one word, from 1; each of the delimiters separates.",
        each_text(texts.word, null=""),
    ),
)
