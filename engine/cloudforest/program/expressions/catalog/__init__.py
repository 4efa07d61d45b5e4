"""The table of functions: what each takes and gives, and what is wrong with a call."""

from __future__ import annotations

from cloudforest.program.expressions.catalog.checking import complaint, unknown
from cloudforest.program.expressions.catalog.table import FUNCTIONS, OPERATORS

__all__ = ["FUNCTIONS", "OPERATORS", "complaint", "unknown"]
