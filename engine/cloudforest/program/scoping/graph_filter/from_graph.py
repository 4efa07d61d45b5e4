"""Groups of clauses to the SCIM filter that means the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from cloudforest.model.program import And, Compare, Filter, Not, Or, Present
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.comparing import is_moment
from cloudforest.program.scoping.graph_filter.clause import GraphClause, Group

_UNTOLD = {
    "&": "Microsoft doesn't say how its list of values is taken apart",
    "!&": "Microsoft doesn't say how its list of values is taken apart",
    "!&L": "Microsoft doesn't say what it means",
    "ISMEMBEROF": "Microsoft doesn't support it; name the group in `groups`",
    "VALID CERT MATCH": "Microsoft doesn't say what it means",
}
_MOMENT = "Graph compares it as a text, and a filter here as a moment"
Operator = Literal["eq", "co", "sw", "ew", "gt", "ge"]
_TEXTS: dict[str, Operator] = {"EQUALS": "eq", "INCLUDES": "co", "ENDS_WITH": "ew"}
_NUMBERS: dict[str, Operator] = {"GREATER_THAN": "gt", "GREATER_THAN_OR_EQUALS": "ge"}
_LITERAL = r"(?:[^\\^$.|?*+()\[\]{}]|\\[^A-Za-z0-9])*"
_PATTERN = re.compile(rf"(\^?)(\.\*)?({_LITERAL})(\.\*)?(\$?)", re.DOTALL)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")


def filter_of(groups: Sequence[Group]) -> Filter | None:
    """Return the filter that means the same; None: there are no groups, all are in.

    Attribute names stay as they are written. Raises SyntaxFault with the reason where a
    clause has no equivalent.
    """
    alternatives = tuple(_joined(And, map(_tree, each)) for each in groups)
    return _joined(Or, alternatives) if alternatives else None


def _joined(kind: type[And | Or], operands: Iterable[Filter]) -> Filter:
    several = tuple(operands)
    if not several:
        raise SyntaxFault("A group without clauses takes in everybody.")
    return several[0] if len(several) == 1 else kind(operands=several)


def _refused(clause: GraphClause, reason: str) -> SyntaxFault:
    return SyntaxFault(
        f"{clause.attribute} {clause.operator} has no equivalent: {reason}."
    )


def _tree(clause: GraphClause) -> Filter:
    name, said = clause.attribute, clause.operator.upper().strip()
    if said in _UNTOLD:
        raise _refused(clause, _UNTOLD[said])
    match said:
        case "IS NULL":
            return Not(operand=Present(attribute=name))
        case "IS NOT NULL" | "PRESENT":
            return Present(attribute=name)
        case "IS TRUE" | "IS FALSE":
            return Compare(attribute=name, operator="eq", value=said == "IS TRUE")
        case "NOT EQUALS" | "NOT REGEX MATCH":
            opposite = Not(operand=_comparison(clause, said.removeprefix("NOT ")))
            return And(operands=(Present(attribute=name), opposite))
        case _:
            return _comparison(clause, said)


def _comparison(clause: GraphClause, said: str) -> Compare:
    if len(clause.values) != 1:
        raise _refused(clause, "one value is needed to compare with")
    value, name = clause.values[0], clause.attribute
    if said == "REGEX MATCH":
        operator, literal = _of_pattern(clause, value)
        if operator == "eq" and is_moment(literal):
            raise _refused(clause, _MOMENT)
        return Compare(attribute=name, operator=operator, value=literal)
    if said in _NUMBERS:
        if not _WHOLE_NUMBER.fullmatch(value):
            raise _refused(clause, "it compares whole numbers only")
        return Compare(attribute=name, operator=_NUMBERS[said], value=int(value))
    if said == "EQUALS" and is_moment(value):
        raise _refused(clause, _MOMENT)
    if said not in _TEXTS:
        raise _refused(clause, "the operator is unknown")
    return Compare(attribute=name, operator=_TEXTS[said], value=value)


def _of_pattern(clause: GraphClause, pattern: str) -> tuple[Operator, str]:
    """Read a pattern that stands for a beginning, an end, a part or the whole."""
    found = _PATTERN.fullmatch(pattern)
    if found is None or not found[3]:
        raise _refused(clause, "a SCIM filter has no regular expressions")
    literal = re.sub(r"\\(.)", r"\1", found[3], flags=re.DOTALL)
    starts, ends = found[1] and not found[2], found[5] and not found[4]
    if starts and ends:
        return "eq", literal
    if starts:
        return "sw", literal
    return ("ew" if ends else "co"), literal
