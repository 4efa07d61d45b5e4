"""An object mapping's scope, changed to say what a filter of ours says."""

from __future__ import annotations

from typing import Any

from cloudforest.base.errors import Refused
from cloudforest.graph.writing.sources import Spelling, as_written
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.graph_filter import Group, groups_of
from cloudforest.program.scoping.scim_filter import parse_filter

_NEW: dict[str, Any] = {"categoryFilterGroups": [], "inputFilterGroups": []}


def changed_filter(
    raw: dict[str, Any] | None, was: str | None, text: str | None, spelling: Spelling
) -> dict[str, Any] | None:
    """Return the scope with the filter's groups; unchanged where it says the same.

    `was` is the filter that was read of it, None for none or one that has no
    equivalent; such a one stays until a filter is written in its place.
    """
    if _same(was, text):
        return raw
    groups = [] if text is None else _groups(text, spelling)
    held = _NEW if raw is None else raw
    return {**held, "groups": groups}


def _same(was: str | None, text: str | None) -> bool:
    if was is None or text is None:
        return was == text
    return parse_filter(was) == parse_filter(text)


def _groups(text: str, spelling: Spelling) -> list[dict[str, Any]]:
    try:
        groups = groups_of(parse_filter(text), as_written(text, spelling))
    except SyntaxFault as fault:
        raise Refused(
            f"The filter {text} can't be a scope of Graph: {fault}"
        ) from fault
    return [_group(number, each) for number, each in enumerate(groups, 1)]


def _group(number: int, group: Group) -> dict[str, Any]:
    clauses = [
        {
            "operatorName": each.operator,
            "sourceOperandName": each.attribute,
            "targetOperand": {"values": list(each.values)},
        }
        for each in group
    ]
    return {"name": f"Group {number}", "clauses": clauses}
