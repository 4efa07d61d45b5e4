"""Templates: what they make, and all that they refuse to hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudforest.base.errors import Misconfigured
from cloudforest.model.program import Template
from cloudforest.program.expressions.places import in_template
from cloudforest.program.expressions.template import compile_template, parse_template
from cloudforest.program.faults import SyntaxFault, ValueFault

PERSON = {
    "title": ("head of sales",),
    "sn": ("Ångström",),
    "mail": ("zoe@contoso.com",),
    "proxyaddresses": ("SMTP:a@x", "smtp:b@x"),
}


def made(text, row=None):
    return compile_template(parse_template(text))(PERSON if row is None else row)


PIECES = (
    *("x title", "\r\n", "\r", "\n", " ", "{{ title }}", "{{- a ~ 'title' -}}"),
    *("{# title #}", "{% if a -%}", "{% endif %}", "{% raw %}{{ title }}{% endraw %}"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_an_attribute_stands_where_it_is_named(text):
    try:
        reads = parse_template(text).reads
    except SyntaxFault:
        return
    places = list(in_template(text))
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
    ],
)
def test_it_makes_a_text(text, value):
    assert made(text) == value


def test_the_names_that_it_reads_are_known():
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
def test_what_could_loop_call_or_grow_is_refused(text):
    with pytest.raises(SyntaxFault):
        parse_template(text)
    with pytest.raises(Misconfigured):
        compile_template(Template(text=text, reads=()))


def test_a_mistake_is_found_on_its_line_and_a_close_name_is_offered():
    with pytest.raises(SyntaxFault, match="Did you mean upper") as caught:
        parse_template("{{ a }}\n{{ b | uper }}")
    assert caught.value.offset == 8


@pytest.mark.parametrize(
    ("text", "row", "reason"),
    [
        ("{{ missing }}", PERSON, "missing"),
        ("{{ proxyAddresses }}", PERSON, "several"),
        ("{{ proxyAddresses | upper }}", PERSON, "several"),
        ("{{ title < 3 }}", PERSON, "does not fit"),
        ("{{ title ~ title }}", {"title": ("x" * 40_000,)}, "more than"),
        ("{{ title }}", {"title": ("x" * 70_000,)}, "too long"),
        (
            "{{ title | replace('x', 'yyyyyyyyy') }}",
            {"title": ("x" * 9000,)},
            "more than",
        ),
        (
            "{{ title | join('" + "y" * 9000 + "') }}",
            {"title": ("x",) * 9},
            "more than",
        ),
    ],
)
def test_what_does_not_fit_an_object_is_a_fault_without_values(text, row, reason):
    with pytest.raises(ValueFault, match=reason) as caught:
        made(text, row)
    assert "Ångström" not in caught.value.reason


PIECES = ["{{", "}}", "{%", "%}", "a", "|", "if", "for", "not", "(", ")", "'", "~", "*"]


def fault_offset(text):
    try:
        parse_template(text)
    except SyntaxFault as fault:
        return fault.offset
    return 0


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25))
def test_nothing_but_a_fault_comes_of_nonsense(pieces):
    text = " ".join(pieces)
    assert 0 <= fault_offset(text) <= len(text)
