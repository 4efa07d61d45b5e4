"""Templates: their results, and everything that they refuse."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.parser import _statement_keywords

from cloudforest.base.errors import Misconfigured
from cloudforest.model.program import Template
from cloudforest.program.expressions.syntax import locate_in_template
from cloudforest.program.expressions.templates import (
    FILTERS,
    compile_template,
    parse_template,
)
from cloudforest.program.faults import SyntaxFault, ValueFault

PERSON = {
    "title": ("head of sales",),
    "sn": ("Ångström",),
    "mail": ("zoe@contoso.com",),
    "a-b-c": ("hyphens",),
    "proxyaddresses": ("SMTP:a@x", "smtp:b@x"),
}


def render(text, row=None):
    return compile_template(parse_template(text))(PERSON if row is None else row)


PIECES = (
    *("x title", "\r\n", "\r", "\n", " ", "{{ title }}", "{{- a ~ 'title' -}}"),
    *("{# title #}", "{% if a -%}", "{% endif %}", "{% raw %}{{ title }}{% endraw %}"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_attributes_are_located_in_the_text(text):
    try:
        reads = parse_template(text).reads
    except SyntaxFault:
        return
    places = list(locate_in_template(text))
    assert {name for name, _ in places} == set(reads)
    expected = text.count("{{ title }}") - text.count("{% raw %}")
    expected += text.count("{{- a")
    expected += text.count("{% if a")
    assert len(places) == expected
    for name, at in places:
        assert text.startswith(name, at)
        assert text[at - 1] == " "


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ Title | default('') | title }}", "Head Of Sales"),
        ("{{ missing | default('none') }}", "none"),
        (
            "{{ sn | upper ~ '-' ~ title | replace('of', 'for') }}",
            "ÅNGSTRÖM-head for sales",
        ),
        (
            "{% if manager is defined %}a{% elif sn == 'x' %}b{% else %}c{% endif %}",
            "c",
        ),
        ("{{ 'yes' if title != '' and not 'x' in sn else 'no' }}", "yes"),
        ("{{ proxyAddresses | join(';') }}", "SMTP:a@x;smtp:b@x"),
        (
            "{{ proxyAddresses | first }} {{ proxyAddresses | last }}",
            "SMTP:a@x smtp:b@x",
        ),
        (
            "{{ mail | join(';') }} {{ mail | first }}",
            "zoe@contoso.com zoe@contoso.com",
        ),
        ("{{ -1 }}{{ 'a' | replace('', '-') }}", "-1-a-"),
        ("plain", "plain"),
        (
            "{{ title | truncate(7) }}|{{ title | truncate(4, true, '', 0) }}",
            "head...|head",
        ),
        ("{{ title | truncate(length=9, leeway=9) }}", "head of sales"),
        ("{{ msDS_cloudExtensionAttribute1 | default('-') }}{{ a_b_C }}", "-hyphens"),
    ],
)
def test_template_is_rendered(text, value):
    assert render(text) == value


def test_template_sees_only_the_attributes_that_it_declares():
    quiet = Template(text="{{ info | default('nothing') }}", reads=())
    assert compile_template(quiet)({"info": "canary"}) == "nothing"


def test_parsed_template_lists_its_attributes():
    parsed = parse_template(
        "{{ Title ~ sn }}{% if sn %}{{ title | default(MAIL) }}{% endif %}"
    )
    assert parsed.reads == ("mail", "sn", "title")


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in b %}{% endfor %}",
        "{% set a = 1 %}",
        "{% macro a() %}{% endmacro %}",
        "{% include 'a' %}",
        "{% filter upper %}a{% endfilter %}",
        "{{ a() }}",
        "{{ a.b }}",
        "{{ a['b'] }}",
        "{{ a * 9 }}",
        "{{ a ** 9 }}",
        "{{ a + b }}",
        "{{ [a] }}",
        "{{ {'a': b} }}",
        "{{ self }}",
        "{{ a | center(999999999) }}",
        "{{ a | join(*b) }}",
        "{{ a is divisibleby 3 }}",
        "{{ a is eq(*b) }}",
        "{{ a",
        "{{ " + "9" * 5000 + " }}",
        "{{ " + "not " * 2000 + "a }}",
        "{{ a" + " | upper" * 60 + " }}",
        "{{ a }}" * 101,
        "a" * 10_001,
    ],
)
def test_unbounded_constructs_are_refused(text):
    with pytest.raises(SyntaxFault):
        parse_template(text)
    with pytest.raises(Misconfigured):
        compile_template(Template(text=text, reads=()))


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("{{ a }}\n{{ b | uper }}", 15, 'Did you mean "upper"'),
        ("uper\r\n{{ uper\n | uper }}", 17, 'Did you mean "upper"'),
        ("{{ 'x' if a is  not defind }}", 20, 'Did you mean "defined"'),
        ("{{ a | uper | loer }}", 14, 'Did you mean "lower"'),
        ("{{ myself }}{{ self }}", 15, "not an attribute"),
        ("a\n\n{% if a %}{{ b", 3, "Invalid template"),
        ("{{ msDS-cloudExtensionAttribute1 }}", 0, "Write an underscore"),
        ("{{ a }}\n{{ a ~ '\\ud83d\\ude00' }}", 8, "half of a character"),
        ("{{ a | replace('a', 'b', 1) }}", 7, "too many positional"),
        ("{{ a | replace('a') }}", 7, "missing"),
        ("{{ a | default(value='') }}", 7, "multiple values"),
        ("{{ a | default(other='') }}", 7, "unexpected keyword"),
        ("{{ a | trim(chars='x', chars='y') }}", 7, "repeated argument"),
        ("{{ 'x' if a is eq }}", 15, "missing"),
        ("{{ 'x' if a is string('y') }}", 15, "too many"),
        ("{{ a | truncate(2) }}", 7, "not shorter than its end"),
        ("{{ a | truncate(9, leeway=-1) }}", 7, "leeway of 0 or more"),
        ("{{ a | truncate('x') }}", 7, "Wrong arguments for the filter"),
        ("{{ a | replace('a', 3) }}", 7, "Wrong arguments for the filter"),
        ("{{ a | join(3) }}", 7, "Wrong arguments for the filter"),
    ],
)
def test_mistake_is_located_at_its_name(text, offset, message):
    with pytest.raises(SyntaxFault, match=message) as caught:
        parse_template(text)
    assert caught.value.offset == offset


TAGS = {
    "autoescape": "{% autoescape true %}x{% endautoescape %}",
    "block": "{% block a %}x{% endblock %}",
    "call": "{% call a() %}x{% endcall %}",
    "extends": "{% extends 'a' %}",
    "filter": "{% filter upper %}x{% endfilter %}",
    "for": "{% for a in b %}x{% endfor %}",
    "from": "{% from 'a' import b %}",
    "import": "{% import 'a' as b %}",
    "include": "{% include 'a' %}",
    "macro": "{% macro a() %}x{% endmacro %}",
    "print": "{% print a %}",
    "set": "{% set a %}x{% endset %}",
    "with": "{% with a = 1 %}x{% endwith %}",
}


def test_every_tag_except_conditions_is_refused_at_its_place():
    """`print` is the same as braces; the lexer removes `raw` and comments."""
    assert TAGS.keys() | {"if"} == _statement_keywords | {"filter", "call"}
    for tag, text in TAGS.items():
        if tag == "print":
            assert render("{% print sn %}") == "Ångström"
            continue
        with pytest.raises(SyntaxFault, match="This is not allowed") as caught:
            parse_template("\n" + text)
        assert caught.value.offset == 1
    assert render("{% raw %}{{ x }}{% endraw %}{# note #}") == "{{ x }}"


@pytest.mark.parametrize(
    ("text", "row", "reason"),
    [
        ("{{ missing }}", PERSON, "missing"),
        ("{{ proxyAddresses }}", PERSON, "several"),
        ("{{ proxyAddresses | upper }}", PERSON, "several"),
        ("{{ title < 3 }}", PERSON, "cannot use"),
        ("{{ title ~ title }}", {"title": ("x" * 40_000,)}, "more than"),
        ("{{ title }}", {"title": ("x" * 70_000,)}, "longer than 65536"),
        (
            "{{ title | replace('x', 'yyyyyyyyy') }}",
            {"title": ("x" * 9000,)},
            "more than",
        ),
        ("{{ title | truncate(title) }}", PERSON, "cannot use"),
        (
            "{{ title | truncate(sn | count) }}",
            {"title": "a", "sn": ("b",)},
            "shorter than its end",
        ),
        ("{{ title | trim(title | count) }}", PERSON, "cannot use"),
        ("{{ 'x' in (title | count) }}", PERSON, "cannot use"),
        ("{{ title | count | count }}", PERSON, "cannot use"),
        (
            "{{ title | join('" + "y" * 9000 + "') }}",
            {"title": ("x",) * 9},
            "more than",
        ),
    ],
)
def test_unusable_value_is_a_fault_without_values(text, row, reason):
    with pytest.raises(ValueFault, match=reason) as caught:
        render(text, row)
    assert "Ångström" not in caught.value.reason


FILTERED = st.sampled_from(sorted(FILTERS))
ARGUMENTS = st.sampled_from(
    (
        *("title", "mail", "missing", "proxies", "''", "'ab'", "true", "none"),
        *("-1", "0", "3", "1e9", "99999999999999999999"),
    )
)


@given(
    st.lists(st.tuples(FILTERED, st.lists(ARGUMENTS, max_size=4)), max_size=3),
    st.text(max_size=9) | st.sampled_from(["7", "9" * 5000, "ﬀ", "1e999"]),
    ARGUMENTS,
)
def test_filters_with_any_values_raise_faults_only(filters, value, source):
    text = source + "".join(
        f" | {name}({', '.join(arguments)})" for name, arguments in filters
    )
    row = {"title": (value,), "mail": ("a",), "proxies": ("a", "b")}
    with contextlib.suppress(SyntaxFault, ValueFault):
        assert isinstance(render("{{ " + text + " }}", row), str)


PIECES = ["{{", "}}", "{%", "%}", "a", "|", "if", "for", "not", "(", ")", "'", "~", "*"]


def fault_offset(text):
    try:
        parse_template(text)
    except SyntaxFault as fault:
        return fault.offset
    return 0


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25))
def test_random_tokens_parse_or_raise_syntax_fault(pieces):
    text = " ".join(pieces)
    assert 0 <= fault_offset(text) <= len(text)
