from __future__ import annotations

import pytest

from cloudforest.program.expressions.analysis import find_impure_functions, is_constant
from cloudforest.program.expressions.syntax import parse_expression


@pytest.mark.parametrize(
    ("text", "constant", "impure"),
    [
        ("[mail]", False, ()),
        ('"a"', True, ()),
        ("5", True, ()),
        ('Append("a", Left("b", 1))', True, ()),
        ('Append("a", Left([b], 1))', False, ()),
        ('DateAdd("d", 1, Now())', False, ("Now",)),
        ("Guid() & RandomString(1, 0, 0, 0, 0)", False, ("Guid", "RandomString")),
        ('SelectUniqueValue("a", "b")', False, ()),
        ("IsNull(DefaultDomain())", False, ()),
    ],
)
def test_constancy_and_purity_are_known_without_an_object(text, constant, impure):
    expression = parse_expression(text)
    assert is_constant(expression) is constant
    assert find_impure_functions(expression) == impure
