"""What holds for every text that is given as a filter, and for every object."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ldap3.operation.search import parse_filter as parse_ldap_filter

from cloudforest.adapters.ldap.filters import to_ldap_filter
from cloudforest.compiler.rules.filters import find_contradiction
from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.ad_schema import FILETIME_ATTRIBUTES, INTEGER_ATTRIBUTES
from cloudforest.program.attributes_read import find_filter_attributes
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.filter_mistakes import find_filter_mistakes
from cloudforest.program.scoping.filter_syntax import locate_clauses, parse_filter
from cloudforest.program.scoping.graph_filter import filter_from_graph, filter_to_graph
from cloudforest.program.scoping.predicates import (
    compile_filter,
    compile_three_valued,
    write_filter,
)

Attributes = Mapping[str, tuple[str, ...]]
_INTEGER = re.compile("0|-?[1-9][0-9]*", re.ASCII)
UNCHECKED = {"validator": None, "check_names": False}


def parsed(text: str) -> Filter | None:
    """Parse; a mistake is a fault within the text and nothing else."""
    try:
        return parse_filter(text)
    except SyntaxFault as fault:
        offset = fault.offset
    assert 0 <= offset <= len(text), (offset, text)
    return None


def hold(text: str, attributes: Attributes) -> bool:
    """Check the laws of one filter and one object; tell whether it could be read.

    Written down, it is the same filter; what it says does not rest on what it does not
    read; nothing hidden is no doubt, and what is sure of one with everything hidden is
    so; a contradiction accepts nobody; what goes to a controller is an LDAP filter.
    """
    tree = parsed(text)
    if tree is None:
        return False
    again = write_filter(tree)
    assert len(again) > len(text) or parsed(again) == tree, again
    for leaf in locate_clauses(text):
        assert leaf.spelling.lower() == leaf.attribute
        assert text.startswith(leaf.spelling, leaf.offset)
    assert all(0 <= each.offset < len(text) for each in find_filter_mistakes(text))
    accepts, reads = compile_filter(tree), find_filter_attributes(tree)
    said = accepts(attributes)
    read = {name: held for name, held in attributes.items() if name in reads}
    assert accepts(read) is said
    certainty = compile_three_valued(tree)
    assert certainty(attributes, frozenset()) is said
    assert certainty(attributes, reads) in {None, said}
    assert not said or find_contradiction(tree) is None
    asked = to_ldap_filter(tree)
    if asked is not None:
        assert parse_ldap_filter(
            asked, None, auto_escape=False, auto_encode=False, **UNCHECKED
        )
    _to_graph_and_back(tree, attributes)
    return True


def _without_booleans(tree: Filter) -> bool:
    """Tell whether nothing is compared with true or false: Graph takes an attribute to
    be of that kind where one is written.
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
    """Check that what Graph can say is no other filter; what it can't is refused."""
    try:
        groups = filter_to_graph(tree)
    except SyntaxFault:
        return
    back = filter_from_graph(groups)
    assert back is not None
    if _without_booleans(tree):
        held = {name: _spelt(name, values) for name, values in attributes.items()}
        assert compile_filter(back)(held) is compile_filter(tree)(held)


def _spelt(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what no directory holds: an integer has one spelling, 2 and not 02."""
    if name.lower() not in INTEGER_ATTRIBUTES | FILETIME_ATTRIBUTES:
        return values
    return tuple(each for each in values if _INTEGER.fullmatch(each))
