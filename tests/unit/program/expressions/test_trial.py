from __future__ import annotations

import pytest

from cloudforest.program.expressions.syntax import (
    parse_expression,
)
from cloudforest.program.expressions.trial import write_expression


@pytest.mark.parametrize(
    "text",
    [
        'Join(" ", [a], "x \\\\ \\"y\\"", -1.5, IIF([b] = "c", 1, IgnoreObjectFlow))',
        'Replace([a], , "b", , "c")',
        'FormatDateTime([a], "yyyy", "yy")',
        "[a] & [b] & 0.00000000000001 & Guid()",
        "Append(29223372054775807.5, 5.0)",
    ],
)
def test_written_expression_parses_to_the_same_tree(text):
    expression = parse_expression(text)
    assert parse_expression(write_expression(expression)) == expression
