"""All functions, by name."""

from __future__ import annotations

from cloudforest.program.expressions.catalog.choosing import CHOOSING
from cloudforest.program.expressions.catalog.flowing import FLOWING
from cloudforest.program.expressions.catalog.timing import TIMING
from cloudforest.program.expressions.catalog.valuing import VALUING
from cloudforest.program.expressions.catalog.writing import WRITING
from cloudforest.program.expressions.functions.shape import Function

OPERATORS = ("=", "<>", ">", ">=", "<", "<=", "&")

FUNCTIONS: dict[str, Function] = {
    each.name: each for each in (*WRITING, *VALUING, *TIMING, *CHOOSING, *FLOWING)
}
