"""Jinja2 templates, cut down to what can't loop, call, or grow without bound."""

from __future__ import annotations

from cloudforest.program.expressions.template.check import parse_template
from cloudforest.program.expressions.template.rendering import compile_template

__all__ = ["compile_template", "parse_template"]
