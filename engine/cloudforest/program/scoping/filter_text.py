"""SCIM filters over directory attributes: from tree back to text."""

from __future__ import annotations

import json

from cloudforest.model.program import (
    And,
    Compare,
    Filter,
    Not,
    Or,
    Present,
    Scalar,
    ValuePath,
)


def _literal(value: Scalar) -> str:
    return json.dumps(value, ensure_ascii=False)


def _nested(tree: Filter) -> str:
    text = filter_text(tree)
    return f"({text})" if isinstance(tree, And | Or) else text


def filter_text(tree: Filter) -> str:
    """Return text that `parse_filter` reads as the same tree."""
    match tree:
        case Compare(attribute=name, operator=operator, value=value):
            return f"{name} {operator} {_literal(value)}"
        case Present(attribute=name):
            return f"{name} pr"
        case ValuePath(attribute=name, operand=operand):
            return f"{name}[{filter_text(operand)}]"
        case And(operands=operands):
            return " and ".join(map(_nested, operands))
        case Or(operands=operands):
            return " or ".join(map(_nested, operands))
        case Not(operand=operand):
            return f"not ({filter_text(operand)})"
