"""What holds for every text that is given as a filter, and for every object."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ldap3.operation.search import parse_filter as parse_ldap_filter

from cloudforest.adapters.ldap.filters import pushed
from cloudforest.compiler.rules.filters import contradiction
from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.ad_schema import FILETIMES, INTEGERS
from cloudforest.program.attributes_read import filter_attributes
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.filter_mistakes import mistakes
from cloudforest.program.scoping.filter_syntax import leaves, parse_filter
from cloudforest.program.scoping.graph_filter import filter_of, groups_of
from cloudforest.program.scoping.predicates import (
    compile_certainty,
    compile_filter,
    filter_text,
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
    again = filter_text(tree)
    assert len(again) > len(text) or parsed(again) == tree, again
    for leaf in leaves(text):
        assert leaf.written.lower() == leaf.attribute
        assert text.startswith(leaf.written, leaf.offset)
    assert all(0 <= each.offset < len(text) for each in mistakes(text))
    accepts, reads = compile_filter(tree), filter_attributes(tree)
    said = accepts(attributes)
    read = {name: held for name, held in attributes.items() if name in reads}
    assert accepts(read) is said
    certainty = compile_certainty(tree)
    assert certainty(attributes, frozenset()) is said
    assert certainty(attributes, reads) in {None, said}
    assert not said or contradiction(tree) is None
    asked = pushed(tree)
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
        groups = groups_of(tree)
    except SyntaxFault:
        return
    back = filter_of(groups)
    assert back is not None
    if _without_booleans(tree):
        held = {name: _spelt(name, values) for name, values in attributes.items()}
        assert compile_filter(back)(held) is compile_filter(tree)(held)


def _spelt(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what no directory holds: an integer has one spelling, 2 and not 02."""
    if name.lower() not in INTEGERS | FILETIMES:
        return values
    return tuple(each for each in values if _INTEGER.fullmatch(each))
