"""The functions: documented examples, null rules, and values that don't fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudforest.base.errors import Misconfigured
from cloudforest.model.program import Attribute, Call, Literally, Template
from cloudforest.program.expressions.evaluate import compile_expression
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.expressions.functions import FUNCTIONS
from cloudforest.program.faults import SyntaxFault, ValueFault

LATER = {
    *("CDate", "ConvertFromBase64", "ConvertToBase64", "ConvertToUTF8Hex", "CRef"),
    *("DateFromNum", "Error", "FormatDateTime", "IgnoreFlowIfNullOrEmpty"),
    *("Now", "SelectUniqueValue"),
}
EXAMPLES = json.loads(
    (Path(__file__).parent / "expressions.json").read_text(encoding="utf-8")
)
PERSON = {
    "cn": ("Zoë Ångström",),
    "sn": ("Ångström",),
    "mail": ("zoe@contoso.com",),
    "uac": ("514",),
    "proxies": ("SMTP:a@x", "smtp:b@x", "SMTP:a@x"),
    "slow": ("a" * 40 + "!",),
    "empty": (),
}


def value_of(text, row=None):
    return compile_expression(parse_expression(text))(PERSON if row is None else row)


def needs(example):
    """Return the functions that this example needs and that do not exist yet."""
    try:
        parse_expression(example["expression"])
    except SyntaxFault as fault:
        return {name for name in LATER if f"no function {name}." in fault.message}
    return set()


KNOWN = [each for each in EXAMPLES if not needs(each)]


def test_most_documented_examples_can_be_evaluated():
    assert len(KNOWN) == 67


@pytest.mark.parametrize("example", KNOWN)
def test_a_documented_example_gives_what_is_documented(example):
    row = {
        name.lower(): (value,)
        for name, value in example["attributes"].items()
        if value is not None
    }
    value = value_of(example["expression"], row)
    assert (list(value) if isinstance(value, tuple) else value) == example["expected"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[cn]", "Zoë Ångström"),
        ("[proxies]", PERSON["proxies"]),
        ("[missing]", None),
        ("[empty]", None),
        ('Append([missing], "x")', "x"),
        ("Append([missing], [empty])", None),
        ('Append([proxies], "!")', ("SMTP:a@x!", "smtp:b@x!", "SMTP:a@x!")),
        ('[sn] & "-" & [missing] & 5', "Ångström-5"),
        ('BitAnd([uac], "2")', 2),
        ("BitAnd([missing], 2)", None),
        ('IIF(BitAnd([uac], 2) = 0, "True", "False")', "False"),
        ('IIF(BitAnd([missing], 2) = 0, "True", "False")', "False"),
        ('IIF([missing] <> "x", "a", "b")', "b"),
        ('IIF([missing] > "x", "a", "b")', "b"),
        ('IIF([sn] = "ångström", "a", "b")', "b"),
        ('IIF([uac] = "514.0", "a", "b")', "b"),
        ('IIF([uac] = 514.0, "a", "b")', "a"),
        ('IIF([sn] = 5, "a", "b")', "b"),
        ('IIF([uac] > "99", "a", "b")', "a"),
        ('IIF([uac] <= 513.5, "a", "b")', "b"),
        ('IIF([sn] >= "Z", "a", "b")', "a"),
        ('IIF([uac] < "5x", "a", "b")', "a"),
        ('IIF(CBool([uac]), "a", Left([sn], "x"))', "a"),
        ("CBool([missing])", "False"),
        ("CBool(0.0)", "False"),
        ("CBool(-0.5)", "True"),
        ("CStr(2.0)", "2"),
        ("CStr(2.5)", "2.5"),
        ("CStr([missing])", None),
        ('Coalesce([missing], "", [sn])', "Ångström"),
        ('Coalesce([missing], "")', ""),
        ("Coalesce([missing], )", None),
        ("Count([proxies])", 3),
        ("Count([sn])", 1),
        ("Count([missing])", 0),
        ('InStr([cn], "z")', 0),
        ('InStr([cn], "z", 1, vbTextCompare)', 1),
        ('InStr([mail], "o", 3)', 6),
        ('IsNull("")', "False"),
        ("IsPresent([missing])", "False"),
        ("IsPresent([sn])", "True"),
        ("Item([proxies], 2)", "smtp:b@x"),
        ("Item([missing], 2)", None),
        ('Join(" ", [missing], [sn], "", " ")', "Ångström  "),
        ('Join(", ", [proxies], "c")', "SMTP:a@x, smtp:b@x, SMTP:a@x, c"),
        ('Join(" ", [missing])', ""),
        ("Left([sn], 3)", "Ång"),
        ("Left([sn], 0)", ""),
        ("Left([sn], -1)", "Ångström"),
        ("Left([sn], 99)", "Ångström"),
        ("Left([missing], 3)", ""),
        ("Left([proxies], 1)", ("S", "s", "S")),
        ("Left(12345, 2)", "12"),
        ("Len([missing])", 0),
        ('Mid([sn], "2", "3")', "ngs"),
        ("Mid([sn], 2)", "ngström"),
        ("Mid([sn], 2, )", "ngström"),
        ("Mid([missing], 1, 1)", ""),
        ("Not([missing])", "True"),
        ('Not("TRUE")', "False"),
        ("NormalizeDiacritics([cn])", "Zoe Angstrom"),
        ('NormalizeDiacritics("Zoe\u0308 O\u0304 Øßłœ")', "Zoe O OEssl\u0153"),
        ("NormalizeDiacritics([missing])", None),
        ("NormalizeDiacritics([mail])", "zoe@contoso.com"),
        ('PCase("o\'neil smith-jones")', "O'Neil Smith-Jones"),
        ('PCase("o\'neil smith-jones", " ")', "O'neil Smith-jones"),
        ("RemoveDuplicates([proxies])", ("SMTP:a@x", "smtp:b@x")),
        ("RemoveDuplicates([missing])", None),
        ('Split("a, b,,c", ",")', ("a", "b", "", "c")),
        ('Split("a b", "")', ("a b",)),
        ('Split([missing], ",")', None),
        ('StripSpaces(" a b ")', "ab"),
        ('Switch([missing], "d", "", "null", "a", "b")', "null"),
        ('Switch([sn], "d", "ångström", "b")', "d"),
        ("Switch([sn], , [sn], [mail])", "zoe@contoso.com"),
        ("Switch([sn], [uac], [mail], [cn])", "514"),
        ('Switch([uac], "d", 514, "number", 514, "second")', "number"),
        ('ToLower("IİΣ")', "iİ\u03c3"),
        ('ToLower("Iİ", "tr-TR")', "\u0131i"),
        ('ToUpper("straße i")', "STRAßE I"),
        ('ToUpper("i", "az")', "İ"),
        ('ToLower("I", "en-US")', "i"),
        ("Trim([missing])", None),
        ('Word("This,string!has&many", 3, ",!&#")', "has"),
        ('Word("a  b", 2, " ")', "b"),
        ('Word("a b", 3, " ")', ""),
        ('Word("a b", 0, " ")', ""),
        ('Word("a b", [missing], " ")', ""),
        ('Word([missing], 1, " ")', ""),
    ],
)
def test_a_function_gives(text, value):
    result = value_of(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('Replace([mail], "o", , , "0")', "z0e@c0nt0s0.c0m"),
        ('Replace([proxies], "@x", , , "")', ("SMTP:a", "smtp:b", "SMTP:a")),
        ('Replace([missing], "o", , , "0")', None),
        ('Replace([mail], [missing], , , "0")', "zoe@contoso.com"),
        ('Replace([mail], [sn], , , "0")', "zoe@contoso.com"),
        ('Replace([sn], "%1%", , , , , "Hr. %1%")', "Hr. Ångström"),
        ('Replace([sn], [missing], , , , , "Hr. %1%")', "Hr. %1%"),
        ('Replace([mail], "", "(.+)@(.+)", , "$2 at $1")', "contoso.com at zoe"),
        (r'Replace([mail], , "@.*", , "$$$&${x}$9\\1")', r"zoe$@contoso.com${x}$9\1"),
        ('Replace("aXbX", , "(?\'x\'X)\\k<x>?", , "-")', "a-b-"),
        (r'Replace("a b", , "b\z|a\Z", , "-")', "a -"),
        ('Replace("ab", , "(x)?b", , "[$1]")', "a[]"),
        ('Replace("a1b2", , "(?<d>[0-9])|b", "d", "#", , )', "a#b#"),
        ('Replace([mail], , "(?<user>.*)@", "user", , [sn])', "zoe@contoso.com"),
        ('Replace([missing], , "(?<user>.*)@", "user", , [mail])', "zoe"),
        ('Replace([missing], , "(?<user>.*)!", "user", , [mail])', None),
        ('Replace([mail], , [mail], , "same")', "same"),
        ('Replace(25, , "2", , "3")', "35"),
    ],
)
def test_replace_has_its_modes(text, value):
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('Left([sn], "x")', "whole number"),
        ("Left([sn], 1.5)", "whole number"),
        ("BitAnd([sn], 2)", "whole number"),
        ("Mid([sn], 0, 1)", "counts positions from 1"),
        ("Mid([sn], 1, -1)", "not negative"),
        ('InStr([sn], "a", 0)', "counts positions from 1"),
        ("Item([proxies], 9)", "does not have"),
        ("Item([proxies], 0)", "does not have"),
        ("Len([proxies])", "several"),
        ('Switch([proxies], "", "a", "b")', "several"),
        ('Replace([mail], , "(?<a>x)", "b", "y")', "no group"),
        ('Replace([mail], , Left("(", 1), , "y")', "not valid"),
        ('Replace([slow], , "(a|aa)+$", , "")', "too long"),
        (
            'Replace([missing], , "(?<u>(a|aa)+$)", "u", , [slow])',
            "too long",
        ),
    ],
)
def test_what_does_not_fit_is_a_fault_without_values(text, reason):
    with pytest.raises(ValueFault, match=reason) as caught:
        value_of(text)
    assert "Ångström" not in caught.value.reason


def test_a_program_from_another_version_is_refused():
    with pytest.raises(Misconfigured, match="no function NewOne"):
        compile_expression(Call(function="NewOne", arguments=()))


def test_templates_and_constants_are_expressions_too():
    assert (
        compile_expression(Template(text="{{ sn }}", reads=("sn",)))(PERSON)
        == "Ångström"
    )
    assert compile_expression(Literally(value=True))({}) is True
    assert compile_expression(Attribute(name="SN"))(PERSON) == "Ångström"


def test_every_function_says_in_a_sentence_what_it_does():
    for name, function in FUNCTIONS.items():
        assert function.name == name
        assert function.summary.endswith(".")
