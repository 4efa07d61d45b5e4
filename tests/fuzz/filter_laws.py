"""Laws that hold for every text as a filter, and for every object."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ldap3.operation.search import parse_filter as parse_ldap_filter

from cloudforest.adapters.ldap.filters import to_ldap_filter
from cloudforest.compiler.rules.filters import find_contradiction
from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.ad_schema import FILETIME_ATTRIBUTES, INTEGER_ATTRIBUTES
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.filter_syntax import (
    find_filter_mistakes,
    locate_clauses,
    parse_filter,
)
from cloudforest.program.scoping.graph_filter import filter_from_graph, filter_to_graph
from cloudforest.program.scoping.predicates import (
    compile_filter,
    compile_three_valued,
    find_filter_attributes,
    write_filter,
)

Attributes = Mapping[str, tuple[str, ...]]
_INTEGER = re.compile("0|-?[1-9][0-9]*", re.ASCII)
UNCHECKED = {"validator": None, "check_names": False}


def parsed(text: str) -> Filter | None:
    """Parse; the only error is a fault with an offset in the text."""
    try:
        return parse_filter(text)
    except SyntaxFault as fault:
        offset = fault.offset
    assert 0 <= offset <= len(text), (offset, text)
    return None


def hold(text: str, attributes: Attributes) -> bool:
    """Check the laws for one filter and one object; return False if it does not parse.

    A written filter parses to the same tree. Its result depends only on the attributes
    that it reads. With nothing hidden, the three-valued result is the same, and a
    certain result with everything hidden is right. A contradiction accepts no object.
    A pushed-down filter is a valid LDAP filter.
    """
    tree = parsed(text)
    if tree is None:
        return False
    again = write_filter(tree)
    assert len(again) > len(text) or parsed(again) == tree, again
    for clause in locate_clauses(text):
        assert clause.spelling.lower() == clause.attribute
        assert text.startswith(clause.spelling, clause.offset)
    assert all(0 <= each.offset < len(text) for each in find_filter_mistakes(text))
    accepts, reads = compile_filter(tree), find_filter_attributes(tree)
    accepted = accepts(attributes)
    read = {name: values for name, values in attributes.items() if name in reads}
    assert accepts(read) is accepted
    three_valued = compile_three_valued(tree)
    assert three_valued(attributes, frozenset()) is accepted
    assert three_valued(attributes, reads) in {None, accepted}
    assert not accepted or find_contradiction(tree) is None
    ldap_filter = to_ldap_filter(tree)
    if ldap_filter is not None:
        assert parse_ldap_filter(
            ldap_filter, None, auto_escape=False, auto_encode=False, **UNCHECKED
        )
    _to_graph_and_back(tree, attributes)
    return True


def _without_booleans(tree: Filter) -> bool:
    """Tell whether nothing is compared with true or false.

    Graph takes an attribute in such a comparison for a boolean.
    """
    match tree:
        case Compare(value=value):
            return not isinstance(value, bool)
        case Present():
            return True
        case ValuePath(operand=operand) | Not(operand=operand):
            return _without_booleans(operand)
        case And(operands=operands) | Or(operands=operands):
            return all(map(_without_booleans, operands))


def _to_graph_and_back(tree: Filter, attributes: Attributes) -> None:
    """Check that a filter is refused, or means the same in Graph."""
    try:
        groups = filter_to_graph(tree)
    except SyntaxFault:
        return
    back = filter_from_graph(groups)
    assert back is not None
    if _without_booleans(tree):
        stored = {name: _as_stored(name, each) for name, each in attributes.items()}
        assert compile_filter(back)(stored) is compile_filter(tree)(stored)


def _as_stored(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Drop values that a directory never contains: an integer is 2, not 02."""
    if name.lower() not in INTEGER_ATTRIBUTES | FILETIME_ATTRIBUTES:
        return values
    return tuple(each for each in values if _INTEGER.fullmatch(each))
