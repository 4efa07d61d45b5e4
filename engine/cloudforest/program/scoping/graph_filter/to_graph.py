"""A SCIM filter to the groups of clauses that mean the same."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.comparing import is_moment
from cloudforest.program.scoping.comparing.syntax import FILETIMES, INTEGERS
from cloudforest.program.scoping.graph_filter.clause import (
    IS_NOT_NULL,
    IS_NULL,
    NUMBERS,
    GraphClause,
    Group,
)

MAX_GROUPS = 64
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_SHAPES = {"sw": "^{}", "ew": "{}$", "co": "{}"}


def groups_of(tree: Filter, spelling: Callable[[str], str] = str) -> tuple[Group, ...]:
    """Return the groups that mean the same; `spelling` writes an attribute's name.

    Raises SyntaxFault with the reason where Graph has no equivalent.
    """
    groups = dict.fromkeys(
        map(_shortened, _alternatives(tree, spelling, negated=False))
    )
    if None in groups:
        del groups[None]
    if not groups:
        raise SyntaxFault("The filter can never be true, and Graph has no such filter.")
    return tuple(each for each in groups if each is not None)


def _alternatives(
    tree: Filter, spelling: Callable[[str], str], *, negated: bool
) -> list[Group]:
    """Return the disjunctive normal form."""
    match tree:
        case Not(operand=operand):
            return _alternatives(operand, spelling, negated=not negated)
        case And(operands=operands) | Or(operands=operands):
            parts = [
                _alternatives(each, spelling, negated=negated) for each in operands
            ]
            if isinstance(tree, Or) is not negated:
                return _limited(list(itertools.chain(*parts)))
            return _product(parts)
        case Present(attribute=name):
            said = IS_NULL if negated else IS_NOT_NULL
            return [(GraphClause(attribute=spelling(name), operator=said),)]
        case Compare():
            return [(each,) for each in _clauses(tree, spelling, negated=negated)]
        case ValuePath(attribute=name):
            raise SyntaxFault(
                f"Graph can't ask for one value of {spelling(name)} that meets all of "
                "the conditions in brackets."
            )


def _limited(groups: list[Group]) -> list[Group]:
    if len(groups) > MAX_GROUPS:
        raise SyntaxFault(
            f"The filter would be more than {MAX_GROUPS} groups in Graph; write it with"
            " fewer alternatives within each other."
        )
    return groups


def _product(parts: list[list[Group]]) -> list[Group]:
    groups: list[Group] = [()]
    for part in parts:
        groups = _limited([(*one, *other) for one in groups for other in part])
    return groups


def _clauses(
    tree: Compare, spelling: Callable[[str], str], *, negated: bool
) -> Iterator[GraphClause]:
    name = spelling(tree.attribute)
    negated ^= tree.operator == "ne"
    if tree.operator in _SHAPES and tree.value == "":
        # Every value begins and ends with nothing.
        yield GraphClause(attribute=name, operator=IS_NULL if negated else IS_NOT_NULL)
        return
    if tree.value is None:
        yield GraphClause(attribute=name, operator=IS_NOT_NULL if negated else IS_NULL)
        return
    operator, values = _said(tree, negated=negated)
    if negated:
        yield GraphClause(attribute=name, operator=IS_NULL)
    yield GraphClause(attribute=name, operator=operator, values=values)


def _is_of_another_kind(tree: Compare) -> bool:
    """Tell whether a number is compared with what a directory may spell otherwise."""
    if isinstance(tree.value, str):
        return False
    return isinstance(tree.value, float) or tree.attribute not in INTEGERS | FILETIMES


def _said(tree: Compare, *, negated: bool) -> tuple[str, tuple[str, ...]]:
    operator = "eq" if tree.operator == "ne" else tree.operator
    if operator == "eq" and is_moment(tree.value):
        raise SyntaxFault(
            f'{tree.attribute} {tree.operator} "{tree.value}" compares moments, and '
            "Graph would compare texts; write the filter without it."
        )
    if operator in _SHAPES and (negated or operator == "sw"):
        text = _SPECIAL.sub(r"\\\g<0>", str(tree.value))
        prefix = "NOT " if negated else ""
        return f"{prefix}REGEX MATCH", (_SHAPES[operator].format(text),)
    if isinstance(tree.value, bool):
        return ("IS TRUE" if tree.value is not negated else "IS FALSE"), ()
    if operator == "eq" and _is_of_another_kind(tree):
        raise SyntaxFault(
            f"{tree.attribute} {tree.operator} {tree.value} compares numbers, and Graph"
            f' would compare texts; write "{tree.value}" in double quotes.'
        )
    if operator == "eq":
        return ("NOT EQUALS" if negated else "EQUALS"), (str(tree.value),)
    if operator in {"co", "ew"}:
        return ("Includes" if operator == "co" else "ENDS_WITH"), (str(tree.value),)
    found = next((key for key, each in NUMBERS.items() if each == operator), None)
    if found is None or negated or not isinstance(tree.value, int):
        raise SyntaxFault(
            f"Graph has no operator for {'not ' * negated}{tree.attribute} {operator}:"
            " it tells only whether a whole number is greater."
        )
    return found, (str(tree.value),)


def _shortened(group: Group) -> Group | None:
    """Drop what follows from the rest; None: the group can never be true."""
    null = {each.attribute for each in group if each.operator == IS_NULL}
    held = {
        each.attribute for each in group if each.operator not in {IS_NULL, IS_NOT_NULL}
    }
    present = {each.attribute for each in group if each.operator != IS_NULL}
    if null & present:
        return None
    kept = (
        each
        for each in group
        if not (each.operator == IS_NOT_NULL and each.attribute in held)
    )
    return tuple(dict.fromkeys(kept))
