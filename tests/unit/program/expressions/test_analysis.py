from __future__ import annotations

import pytest

from cloudforest.program.expressions.analysis import (
    find_impure_functions,
    find_value_kind,
    is_constant,
)
from cloudforest.program.expressions.syntax import (
    parse_expression,
)


@pytest.mark.parametrize(
    ("text", "constant", "kind", "impure"),
    [
        ("[mail]", False, "values", ()),
        ('"a"', True, "text", ()),
        ("5", True, "number", ()),
        ('Append("a", Left("b", 1))', True, "values", ()),
        ('Append("a", Left([b], 1))', False, "values", ()),
        ('DateAdd("d", 1, Now())', False, "date", ("Now",)),
        (
            "Guid() & RandomString(1, 0, 0, 0, 0)",
            False,
            "values",
            ("Guid", "RandomString"),
        ),
        ('SelectUniqueValue("a", "b")', False, "text", ()),
        ("IsNull(DefaultDomain())", False, "boolean", ()),
    ],
)
def test_constancy_kind_and_purity_are_known_without_an_object(
    text, constant, kind, impure
):
    expression = parse_expression(text)
    assert is_constant(expression) is constant
    assert find_value_kind(expression) == kind
    assert find_impure_functions(expression) == impure
