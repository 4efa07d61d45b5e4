"""SCIM filters to the clauses of Microsoft Graph's scoping filters, and back."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from cloudforest.base.values import Value
from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.ad_schema import FILETIME_ATTRIBUTES, INTEGER_ATTRIBUTES
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.filter_syntax import join_filters
from cloudforest.program.scoping.predicates import is_moment

IS_NULL, IS_NOT_NULL = "IS NULL", "IS NOT NULL"
Operator = Literal["eq", "co", "sw", "ew", "gt", "ge"]
NUMBER_OPERATORS: dict[str, Operator] = {
    "GREATER_THAN": "gt",
    "GREATER_THAN_OR_EQUALS": "ge",
}
"""Graph's operators on whole numbers, and the SCIM ones."""
_TEXT_OPERATORS: dict[str, Operator] = {
    "EQUALS": "eq",
    "INCLUDES": "co",
    "ENDS_WITH": "ew",
}
MAX_GROUPS = 64
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_PATTERN_FORMATS = {"sw": "^{}", "ew": "{}$", "co": "{}"}
_LITERAL = r"(?:[^\\^$.|?*+()\[\]{}]|\\[^A-Za-z0-9])*"
_PATTERN = re.compile(rf"(\^?)(\.\*)?({_LITERAL})(\.\*)?(\$?)", re.DOTALL)
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
_UNSUPPORTED_REASONS = {
    "&": "Microsoft does not document how it separates the values",
    "!&": "Microsoft does not document how it separates the values",
    "!&L": "Microsoft does not document it",
    "ISMEMBEROF": "Microsoft does not support it; add the group to `groups`",
    "VALID CERT MATCH": "Microsoft does not document it",
}
_DATE_AS_TEXT = "Graph compares dates as texts, but a filter compares them as dates"


class GraphClause(Value, frozen=True):
    """A clause: its `sourceOperandName`, `operatorName` and `targetOperand.values`."""

    attribute: str
    operator: str
    values: tuple[str, ...] = ()


ClauseGroup = tuple[GraphClause, ...]


def filter_to_graph(
    tree: Filter, spelling: Callable[[str], str] = str
) -> tuple[ClauseGroup, ...]:
    """Return the equivalent groups of clauses; `spelling` writes an attribute's name.

    Raises SyntaxFault if Graph has no equivalent.
    """
    groups = map(_simplify_group, _find_alternatives(tree, spelling, negated=False))
    possible = tuple(dict.fromkeys(each for each in groups if each is not None))
    if not possible:
        raise SyntaxFault("The filter is never true, and Graph cannot express that.")
    return possible


def _find_alternatives(
    tree: Filter, spelling: Callable[[str], str], *, negated: bool
) -> list[ClauseGroup]:
    """Return the disjunctive normal form."""
    match tree:
        case Not(operand=operand):
            return _find_alternatives(operand, spelling, negated=not negated)
        case And(operands=operands) | Or(operands=operands):
            parts = [
                _find_alternatives(each, spelling, negated=negated) for each in operands
            ]
            joins = isinstance(tree, Or) is not negated
            if (sum if joins else math.prod)(map(len, parts)) > MAX_GROUPS:
                raise SyntaxFault(
                    f"The filter needs more than {MAX_GROUPS} groups in Graph. Nest"
                    " fewer alternatives."
                )
            if joins:
                return list(itertools.chain(*parts))
            return [tuple(itertools.chain(*each)) for each in itertools.product(*parts)]
        case Present(attribute=name):
            operator = IS_NULL if negated else IS_NOT_NULL
            return [(GraphClause(attribute=spelling(name), operator=operator),)]
        case Compare():
            return [(each,) for each in _make_clauses(tree, spelling, negated=negated)]
        case ValuePath(attribute=name):
            raise SyntaxFault(
                "Graph has no equivalent for several conditions on one value of"
                f" {spelling(name)} […]."
            )


def _make_clauses(
    tree: Compare, spelling: Callable[[str], str], *, negated: bool
) -> Iterator[GraphClause]:
    name = spelling(tree.attribute)
    negated ^= tree.operator == "ne"
    # Every value starts and ends with the empty text.
    matches_all = tree.operator in _PATTERN_FORMATS and tree.value == ""
    if matches_all or tree.value is None:
        operator = IS_NULL if negated is matches_all else IS_NOT_NULL
        yield GraphClause(attribute=name, operator=operator)
        return
    operator, values = _find_operator(tree, negated=negated)
    if negated:
        yield GraphClause(attribute=name, operator=IS_NULL)
    yield GraphClause(attribute=name, operator=operator, values=values)


def _is_spelled_otherwise(tree: Compare) -> bool:
    """Tell whether a directory may spell the compared number in another way."""
    if not isinstance(tree.value, int):
        return isinstance(tree.value, float)
    return tree.attribute not in INTEGER_ATTRIBUTES | FILETIME_ATTRIBUTES


def _find_operator(tree: Compare, *, negated: bool) -> tuple[str, tuple[str, ...]]:
    operator = "eq" if tree.operator == "ne" else tree.operator
    if operator == "eq" and is_moment(tree.value):
        raise SyntaxFault(
            f'{tree.attribute} {tree.operator} "{tree.value}" compares dates, but '
            "Graph would compare texts. Remove this comparison."
        )
    if operator in _PATTERN_FORMATS and (negated or operator == "sw"):
        text = _SPECIAL.sub(r"\\\g<0>", str(tree.value))
        prefix = "NOT " if negated else ""
        return f"{prefix}REGEX MATCH", (_PATTERN_FORMATS[operator].format(text),)
    if isinstance(tree.value, bool):
        return ("IS TRUE" if tree.value is not negated else "IS FALSE"), ()
    if operator == "eq" and _is_spelled_otherwise(tree):
        raise SyntaxFault(
            f"{tree.attribute} {tree.operator} {tree.value} compares numbers, but Graph"
            f' would compare texts. Write "{tree.value}" in double quotes.'
        )
    if operator == "eq":
        return ("NOT EQUALS" if negated else "EQUALS"), (str(tree.value),)
    if operator in {"co", "ew"}:
        return ("Includes" if operator == "co" else "ENDS_WITH"), (str(tree.value),)
    names: dict[str, str] = {each: key for key, each in NUMBER_OPERATORS.items()}
    found = names.get(operator)
    if found is None or negated or not isinstance(tree.value, int):
        raise SyntaxFault(
            f"Graph has no operator for {'not ' * negated}{tree.attribute} {operator}."
            " It compares whole numbers with gt and ge only."
        )
    return found, (str(tree.value),)


def _simplify_group(group: ClauseGroup) -> ClauseGroup | None:
    """Drop redundant clauses; None: the group is never true."""
    null = {each.attribute for each in group if each.operator == IS_NULL}
    present = {each.attribute for each in group if each.operator == IS_NOT_NULL}
    compared = {
        each.attribute for each in group if each.operator not in {IS_NULL, IS_NOT_NULL}
    }
    if null & (present | compared):
        return None
    redundant = {GraphClause(attribute=each, operator=IS_NOT_NULL) for each in compared}
    return tuple(each for each in dict.fromkeys(group) if each not in redundant)


def filter_from_graph(groups: Sequence[ClauseGroup]) -> Filter | None:
    """Return the equivalent filter; None if `groups` is empty, so all are in scope.

    Attribute names keep their spelling. Raises SyntaxFault for a clause without an
    equivalent.
    """
    alternatives = []
    for each in groups:
        if not each:
            raise SyntaxFault("A group without clauses selects every object.")
        alternatives.append(join_filters(And, map(_convert_clause, each)))
    return join_filters(Or, alternatives) if alternatives else None


def _make_refusal(clause: GraphClause, reason: str) -> SyntaxFault:
    return SyntaxFault(
        f"{clause.attribute} {clause.operator} has no equivalent: {reason}."
    )


def _convert_clause(clause: GraphClause) -> Filter:
    name, operator = clause.attribute, clause.operator.upper().strip()
    if operator in _UNSUPPORTED_REASONS:
        raise _make_refusal(clause, _UNSUPPORTED_REASONS[operator])
    match operator:
        case "IS NULL":
            return Not(operand=Present(attribute=name))
        case "IS NOT NULL" | "PRESENT":
            return Present(attribute=name)
        case "IS TRUE" | "IS FALSE":
            return Compare(attribute=name, operator="eq", value=operator == "IS TRUE")
        case "NOT EQUALS" | "NOT REGEX MATCH":
            opposite = Not(
                operand=_convert_comparison(clause, operator.removeprefix("NOT "))
            )
            return And(operands=(Present(attribute=name), opposite))
        case _:
            return _convert_comparison(clause, operator)


def _convert_comparison(clause: GraphClause, operator_name: str) -> Compare:
    if len(clause.values) != 1:
        raise _make_refusal(clause, "it needs exactly one value")
    value, name = clause.values[0], clause.attribute
    if operator_name == "REGEX MATCH":
        operator, literal = _convert_pattern(clause, value)
        if operator == "eq" and is_moment(literal):
            raise _make_refusal(clause, _DATE_AS_TEXT)
        return Compare(attribute=name, operator=operator, value=literal)
    if operator_name in NUMBER_OPERATORS:
        if not _WHOLE_NUMBER.fullmatch(value):
            raise _make_refusal(clause, "it compares whole numbers only")
        return Compare(
            attribute=name, operator=NUMBER_OPERATORS[operator_name], value=int(value)
        )
    if operator_name == "EQUALS" and is_moment(value):
        raise _make_refusal(clause, _DATE_AS_TEXT)
    if operator_name not in _TEXT_OPERATORS:
        raise _make_refusal(clause, "the operator is unknown")
    return Compare(attribute=name, operator=_TEXT_OPERATORS[operator_name], value=value)


def _convert_pattern(clause: GraphClause, pattern: str) -> tuple[Operator, str]:
    """Read a pattern that matches a beginning, an end, a part or the whole."""
    found = _PATTERN.fullmatch(pattern)
    if found is None or not found[3]:
        raise _make_refusal(clause, "SCIM filters have no regular expressions")
    literal = re.sub(r"\\(.)", r"\1", found[3], flags=re.DOTALL)
    starts, ends = found[1] and not found[2], found[5] and not found[4]
    if starts and ends:
        return "eq", literal
    if starts:
        return "sw", literal
    return ("ew" if ends else "co"), literal
