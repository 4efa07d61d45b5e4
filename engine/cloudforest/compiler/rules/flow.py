"""Flow options and the expressions and targets that they fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import Tree
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.expressions.facts import impure_functions
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.resource import Path, parse_path

ONCE = frozenset({"ObjectAddOnly", "ValueAddOnly", "AttributeAddOnly"})
"""Flow types under which a value is written once. MultiValueAddOnly adds more."""
OF_MEMBERS = ("Always", "MultiValueAddOnly")


def flows_fit(tree: Tree) -> Iterator[Complaint]:
    """Have what is drawn anew each time written once, and references as they can."""
    for mapping in tree.of("Mapping"):
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            if isinstance(entry, dict):
                yield from _impure(mapping, target, entry)
                yield from _misplaced(mapping, target, entry)


def _functions(text: Any) -> tuple[str, ...]:
    """Name the impure functions; what can't be read is another rule's matter."""
    try:
        return impure_functions(parse_expression(str(text)))
    except SyntaxFault:
        return ()


def _impure(
    mapping: Document, target: str, entry: dict[str, Any]
) -> Iterator[Complaint]:
    names = _functions(entry["source"]) if "source" in entry else ()
    if not names:
        return
    path = ("attributeMappings", target, "source")
    given = f"{names[0]} gives another value each time"
    offset = max(str(entry["source"]).find(names[0]), 0)
    if entry.get("matchingPriority", 0):
        message = f"{given}, so nothing can be found by it; match by another attribute."
        yield Complaint("impure-expression", message, mapping, path, offset=offset)
    elif entry.get("flowType", "Always") not in ONCE:
        message = (
            f"{given}, so it would be written in every cycle; write `flowType:"
            " ObjectAddOnly`, or ValueAddOnly or AttributeAddOnly."
        )
        yield Complaint("impure-expression", message, mapping, path, offset=offset)


def _is_reference(path: Path) -> bool:
    return path.is_manager or path.is_foreign


def _misplaced(
    mapping: Document, target: str, entry: dict[str, Any]
) -> Iterator[Complaint]:
    try:
        path = parse_path(target)
    except SyntaxFault:
        return
    where = ("attributeMappings", target)
    flow = entry.get("flowType", "Always")
    if str(path) == "members" and flow not in OF_MEMBERS:
        message = (
            f"Members can't flow as {flow}, since each comes and goes for itself;"
            " write Always or MultiValueAddOnly."
        )
        yield Complaint("flow-rule", message, mapping, (*where, "flowType"))
    if entry.get("exportMissingReferences") and not _is_reference(path):
        message = (
            f'"{target}" is not a single reference, so none of it can be missing;'
            " `exportMissingReferences` is for manager and the like."
        )
        key = (*where, "exportMissingReferences")
        yield Complaint("flow-rule", message, mapping, key)
