"""Where expressions and templates name the attributes that they read."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.program.expressions.reads import attributes_of
from cloudforest.program.expressions.template import parse_template
from cloudforest.program.expressions.template.check import attribute_of
from cloudforest.program.expressions.template.environment import ENVIRONMENT
from cloudforest.program.expressions.tokens import tokens

Place = tuple[str, int]
"""An attribute, and the offset of the first character of its name."""


def in_expression(text: str) -> Iterator[Place]:
    for each in tokens(text):
        if each.kind == "attribute":
            yield each.text, text.index(each.text, each.offset)


def in_template(text: str) -> Iterator[Place]:
    reads = attributes_of(parse_template(text))
    # The lexer makes all line breaks one character.
    text, at = text.replace("\r\n", " \n").replace("\r", "\n"), 0
    for _, kind, written in ENVIRONMENT.lex(text):
        # Of what the lexer leaves out, all is white space.
        at = text.index(written, at)
        if kind == "name" and attribute_of(written) in reads:
            yield written.replace("_", "-"), at
        at += len(written)
