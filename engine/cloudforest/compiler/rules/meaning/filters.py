"""Filters that nothing can pass, or that say what can't be, where that is plain."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.base.diagnostics import Severity
from cloudforest.compiler.document import Complaint
from cloudforest.compiler.rules.meaning.contradiction import exclusion
from cloudforest.compiler.tree import Tree
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.mistakes import Mistake, mistakes
from cloudforest.program.scoping.scim_filter import parse_filter

_IDS = {
    "computed": "computed-attribute",
    "name": "reference-by-name",
    "date": "unreadable-date",
}


def filters_can_be_true(tree: Tree) -> Iterator[Complaint]:
    for scope in tree.of("Scope"):
        for kind, text in scope.content.get("filters", {}).items():
            try:
                reason = exclusion(parse_filter(text))
            except SyntaxFault:
                continue
            if reason is not None:
                message = (
                    f"No {kind} can pass this filter: {_as_written(reason, text)}; "
                    "correct it, or nobody is in scope."
                )
                path = ("filters", kind)
                yield Complaint(
                    "filter-never-true", message, scope, path, Severity.WARNING
                )


def _as_written(reason: str, text: str) -> str:
    """Return a reason with the attribute that it begins with spelt as in the filter."""
    name = reason.partition(" ")[0]
    at = text.lower().find(name.lower())
    return f"{text[at : at + len(name)]}{reason[len(name) :]}"


def filters_say_what_can_be(tree: Tree) -> Iterator[Complaint]:
    for scope in tree.of("Scope"):
        for kind, text in scope.content.get("filters", {}).items():
            for each in _mistakes(text):
                path = ("filters", kind)
                yield Complaint(
                    _IDS[each.kind], each.message, scope, path, offset=each.offset
                )


def _mistakes(text: str) -> list[Mistake]:
    try:
        return list(mistakes(text))
    except SyntaxFault:
        return []
