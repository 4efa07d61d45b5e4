"""A rule of an attribute mapping."""

from __future__ import annotations

from cloudforest.model.program import CompiledAttributeMapping
from cloudforest.program.expressions.syntax import parse_expression


def rule(target, text, **options):
    return CompiledAttributeMapping(
        target=target, expression=parse_expression(text), text=text, **options
    )
