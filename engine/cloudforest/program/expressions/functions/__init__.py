"""The functions of the expression language."""

from __future__ import annotations

from cloudforest.program.expressions.functions.shape import (
    Evaluate,
    Function,
    Operand,
    Row,
)
from cloudforest.program.expressions.functions.table import (
    FUNCTIONS,
    OPERATORS,
    complaint,
)
from cloudforest.program.expressions.functions.values import Value

__all__ = [
    "FUNCTIONS",
    "OPERATORS",
    "Evaluate",
    "Function",
    "Operand",
    "Row",
    "Value",
    "complaint",
]
