"""Write an expression as Graph's tree of sources.

Graph holds an expression twice, as text and as a tree, and both must agree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from cloudforest.model.program import Attribute, Call, Constant, Expression, Template
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.expressions.trial import write_expression, write_literal

Spelling = Callable[[str], str]
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.;-]*")

_PARAMETER_KEYS: dict[str, tuple[str, ...]] = {
    "Append": ("source", "suffix"),
    "Mid": ("source", "start", "length"),
    "Not": ("source",),
    "Replace": (
        *("source", "Find", "RegularExpression", "RegularExpressionGroupName"),
        *("Replacement", "ReplacementPropertyName", "Template"),
    ),
    "StripSpaces": ("source",),
}
"""Parameter keys of the functions that appear in Microsoft's samples."""


def to_graph_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _write_graph_literal(value: Any) -> str:
    return write_literal(to_graph_text(value))


def _type_and_name(tree: Expression, spelling: Spelling) -> tuple[str, str]:
    match tree:
        case Attribute(name=name):
            return "Attribute", spelling(name)
        case Call(function=function):
            return "Function", function
        case Constant(value=value):
            return "Constant", to_graph_text(value)
        case Template(text=text):
            return "Constant", text


def _make_parameters(
    tree: Expression, spelling: Spelling, unknown: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield the parameters of a call; an empty argument has none."""
    if not isinstance(tree, Call):
        return
    keys = _PARAMETER_KEYS.get(tree.function)
    if keys is None:
        unknown.add(tree.function)
        return
    for key, each in zip(keys, tree.arguments, strict=False):
        if each is not None:
            yield {"key": key, "value": _make_source(each, spelling, unknown)}


def _make_source(
    tree: Expression, spelling: Spelling, unknown: set[str]
) -> dict[str, Any]:
    kind, name = _type_and_name(tree, spelling)
    return {
        # Graph quotes numbers too.
        "expression": write_expression(tree, spelling, _write_graph_literal),
        "name": name,
        "type": kind,
        "parameters": list(_make_parameters(tree, spelling, unknown)),
    }


def make_graph_source(text: str, spelling: Spelling) -> tuple[dict[str, Any], set[str]]:
    """Return the source, and the functions whose parameter keys are unknown."""
    unknown: set[str] = set()
    source = _make_source(parse_expression(text), spell_as_in(text, spelling), unknown)
    return {**source, "expression": text}, unknown


def spell_as_in(text: str, spelling: Spelling) -> Spelling:
    """Extend `spelling` by the names in a text, for names that it does not know."""
    words = {each.lower(): each for each in _NAME.findall(text)}

    def spell(name: str) -> str:
        known = spelling(name)
        return words.get(name, name) if known == name else known

    return spell


def make_constant_source(value: Any) -> dict[str, Any]:
    return _make_source(Constant(value=value), str, set())
