"""One clause of a scoping filter, as Graph has it."""

from __future__ import annotations

from cloudforest.model.value import Value

IS_NULL, IS_NOT_NULL = "IS NULL", "IS NOT NULL"
NUMBERS = {"GREATER_THAN": "gt", "GREATER_THAN_OR_EQUALS": "ge"}
"""Graph's operators on whole numbers, and ours."""


class GraphClause(Value, frozen=True):
    """`sourceOperandName`, `operatorName` and `targetOperand.values` of a clause."""

    attribute: str
    operator: str
    values: tuple[str, ...] = ()


Group = tuple[GraphClause, ...]
