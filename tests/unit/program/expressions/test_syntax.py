"""Parsing of expressions, and the places of mistakes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudforest.model.program import Attribute, Call, Constant
from cloudforest.program.expressions.syntax import (
    MAX_DEPTH,
    MAX_LENGTH,
    parse_expression,
)
from cloudforest.program.faults import SyntaxFault

MAIL = Attribute(name="mail")


def call(function, *arguments):
    return Call(function=function, arguments=arguments)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[userPrincipalName]", Attribute(name="userprincipalname")),
        (" [ mS-DS-ConsistencyGuid ] ", Attribute(name="ms-ds-consistencyguid")),
        (r'"a \"b\" \\d \d"', Constant(value=r'a "b" \d \d')),
        ("-3", Constant(value=-3)),
        ("2.5", Constant(value=2.5)),
        ("&HF7", Constant(value=0xF7)),
        ("ToLower([mail], )", call("ToLower", MAIL, None)),
        (
            'Switch ([mail], , "", 1)',
            call("Switch", MAIL, None, Constant(value=""), Constant(value=1)),
        ),
        (
            "InStr([mail], [mail], 1, vbTextCompare)",
            call(
                "InStr",
                MAIL,
                MAIL,
                Constant(value=1),
                Constant(value="vbTextCompare"),
            ),
        ),
        ("[mail] >= 1", call(">=", MAIL, Constant(value=1))),
        (
            'CBool([mail] & "a" & [mail] <> "b")',
            call(
                "CBool",
                call(
                    "<>",
                    call("&", MAIL, Constant(value="a"), MAIL),
                    Constant(value="b"),
                ),
            ),
        ),
    ],
)
def test_expression_is_parsed(text, expected):
    parsed = parse_expression(text)
    assert parsed == expected


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "Expected a function"),
        ("Trim([mail]", 11, "comma"),
        ("Trim([mail])x", 12, "the end of the expression"),
        ("mail", 0, r"Write \[mail\] for an attribute"),
        ("Trim([mail)", 5, r"as \[name\]"),
        ('Trim("mail)', 5, "not closed"),
        ("Trim([mail] = )", 14, "Expected a function"),
        ("Trim(;)", 5, 'character ";"'),
        ("Left([mail], 12a)", 13, 'character "1"'),
        ("Left([mail], 99999999999999999999)", 13, "too large"),
        ("Left([mail], -9223372036854775809)", 13, "too large"),
        ('BitAnd("&HG", 1)', 7, "must be a number"),
        ("Left([mail], " + "9" * 5000 + ")", 13, "too large"),
        ("Join(1, Tolwer([mail]))", 8, 'Did you mean "ToLower"'),
        ("Trim(DateAd([mail]))", 5, 'Did you mean "DateAdd"'),
        ("Trim()", 0, "takes 1 argument, but gets 0"),
        ("Trim([mail], 1)", 0, "takes 1 argument, but gets 2"),
        ("Guid(1)", 0, "takes no arguments, but gets 1"),
        ("Trim(Xyz9([mail]))", 5, 'Xyz9". `cloudforest expression functions` lists'),
        ("Mid([mail])", 0, "takes 2 to 3"),
        ("Join([mail])", 0, "at least 2"),
        ("Left( , 1)", 6, "which is empty"),
        ('Switch([mail], "", "a")', 0, "at least 4"),
        ('Switch([mail], "", "a", "b", "c")', 29, "last value is missing"),
        ('Replace([mail], , "(a", , "b")', 21, "Invalid regular expression: missing"),
        ('Replace([mail], , "(?<a>x)", "b", "y")', 29, 'no group "b"'),
        ('Replace([mail], , "x(?R)", , "y")', 20, "recursion"),
        ('Replace([mail], , "(?<a-b>x)", , "y")', 19, "Balancing"),
        ('Replace([mail], , "[a-z-[e]]", , "y")', 23, "Subtraction"),
        (r'Replace([mail], , "\\\"\\h", , "y")', 23, "escape"),
        (r'Replace([mail], , "[\A]", , "y")', 20, "escape"),
        ('Replace([mail], , "ab++", , "y")', 21, "possessive"),
        ('Replace([mail], , "a{2}+", , "y")', 20, "possessive"),
        ('Replace([mail], , "a(?n)b", , "y")', 20, "flag n"),
        ('Replace([mail], , "(?b:a)", , "y")', 19, "flags .* are i, m, s and x"),
        ('Replace([mail], , "(?V1)[a&&b]", , "y")', 19, "flags .* are i, m, s and x"),
        ('Replace([mail], , "a(?i)b", , "y")', 20, "Put flags at the beginning"),
        ('Replace([mail], , "(?<2>a)", , "y")', 19, "must not start with a digit"),
        ('Replace([mail], , "(?(a)ab|b)", , "y")', 22, "unknown group"),
        ('Replace([mail], , "(?(a|b)ab|b)", , "y")', 19, "A condition must be"),
        ('Replace([mail], , "(*FAIL)", , "y")', 19, "verbs"),
        (r'Replace([mail], , "a\p{Greek}", , "y")', 20, "a category"),
        (r'Replace([mail], , "[\P{IsNone}]", , "y")', 30, "unknown property"),
        (r'Replace([mail], , "\pL", , "y")', 19, "escape"),
        (r'Replace([mail], , "(a)\2", , "y")', 24, "group reference"),
        ('Replace([mail], , "' + "a" * 2001 + '", , "y")', 2019, "longer than 2000"),
        ('Replace([mail], , "a{100000000}", , "y")', 20, "too many repetitions"),
        ('Replace([mail], , "((a{99}){99}){99}", , "y")', 32, "too many repetitions"),
        (
            'Replace([mail], , "(?x)(a{999})#\n{999}", , "y")',
            33,
            "too many repetitions",
        ),
        ('Replace([mail], , "(?x:a # [\n(?:b){e})", , "y")', 19, "with comments"),
        ("Replace([mail])", 0, "one of"),
        ('Left([mail], "x")', 13, 'argument "count" of Left must be a number'),
        ("Left([mail], IsNull([sn]))", 13, "must be a number"),
        ("Mid([mail], Now(), 1)", 12, "must be a number"),
        ('CDate("soon")', 6, "must be a date"),
        ('DateDiff("d", Now(), Count([mail]))', 21, "must be a date"),
        ('DateAdd("x", 1, Now())', 8, "one of yyyy, m, d, ww, h, n, s"),
        ('DateAdd("ww", , Now())', 14, "which is empty"),
        ('FormatDateTime([mail], "yyyy", "\'a")', 31, "unclosed quote"),
        ('FormatDateTime([mail], "d", "X")', 28, "one letter. Choose one of"),
        ('FormatDateTime([mail], "Some", "yyyy", "yy")', 23, "Unknown style"),
        ('FormatDateTime([mail], "yyyy")', 0, "takes 3 to 4 arguments"),
        ('ConvertFromBase64([mail], "latin")', 26, "one of Unicode, ASCII, UTF8"),
        ('InStr([mail], "a", 1, UTF8)', 22, "one of vbBinaryCompare, vbTextCompare"),
        ("DNComponent(Now(), 1)", 12, "must be a reference"),
        ("IIF(Now(), 1, 2)", 4, "must be a condition"),
        ("IIF(IgnoreFlowIfNullOrEmpty([a]), 1, 2)", 4, "condition for IIF"),
        ('Switch(IsPresent([mail]), "", "a", "b")', 7, "Switch cannot use IsPresent"),
        ("SelectUniqueValue([mail])", 0, "at least 2"),
        ("Trim(SelectUniqueValue([mail], [sn]))", 5, "outermost"),
        ('SelectUniqueValue([mail], [sn]) & "x"', 0, "outermost"),
        ('"x" & SelectUniqueValue([mail], [sn])', 6, "outermost"),
        ("[a] = SelectUniqueValue([mail], [sn])", 6, "outermost"),
        ('Replace([mail], "a", "b", , "c")', 0, "one of"),
        ('Replace([mail], "", "", "", "c")', 0, "one of"),
        ('"a\ud800"', 2, "invalid Unicode"),
    ],
)
def test_mistake_is_located(text, offset, message):
    with pytest.raises(SyntaxFault, match=message) as caught:
        parse_expression(text)
    assert caught.value.offset == offset


def nested(depth):
    return "Trim(" * depth + "[mail]" + ")" * depth


def test_nesting_and_length_are_limited():
    assert parse_expression(nested(MAX_DEPTH))
    with pytest.raises(SyntaxFault, match="nested"):
        parse_expression(nested(MAX_DEPTH + 1))
    literal = '"' + "a" * (MAX_LENGTH - 2) + '"'
    assert parse_expression(literal)
    with pytest.raises(SyntaxFault, match="longer"):
        parse_expression(literal + " ")


def test_long_concatenation_is_one_flat_call():
    parsed = parse_expression("&".join(["[mail]"] * 1400))
    assert parsed == call("&", *[MAIL] * 1400)


PIECES = [
    "Trim",
    "(",
    ")",
    "[a]",
    "[",
    '"',
    '"b"',
    ",",
    "&",
    "&HF",
    "=",
    "<>",
    "-1",
    "Now",
]


def fault_offset(text):
    try:
        parse_expression(text)
    except SyntaxFault as fault:
        return fault.offset
    return 0


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30))
def test_random_tokens_parse_or_raise_syntax_fault(pieces):
    text = "".join(pieces)
    assert 0 <= fault_offset(text) <= len(text)
