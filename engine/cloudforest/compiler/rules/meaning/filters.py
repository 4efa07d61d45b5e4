"""Filters that nothing can pass, where that is plain."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.base.diagnostics import Severity
from cloudforest.compiler.document import Complaint
from cloudforest.compiler.rules.meaning.contradiction import contradiction
from cloudforest.compiler.tree import Tree
from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.attribute.directory import REFERENCES
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.scim_filter import parse_filter


def filters_can_be_true(tree: Tree) -> Iterator[Complaint]:
    for scope in tree.of("Scope"):
        for kind, text in scope.content.get("filters", {}).items():
            try:
                reason = contradiction(parse_filter(text))
            except SyntaxFault:
                continue
            if reason is not None:
                message = (
                    f"No {kind} can pass this filter: {reason}; "
                    "correct it, or nobody is in scope."
                )
                path = ("filters", kind)
                yield Complaint(
                    "filter-never-true", message, scope, path, Severity.WARNING
                )


def references_are_guids(tree: Tree) -> Iterator[Complaint]:
    """Refuse a reference that is looked for by name: no value of it ever is one.

    Worse than nobody: `not (memberOf eq "CN=…")` would take in everybody.
    """
    for scope in tree.of("Scope"):
        for kind, text in scope.content.get("filters", {}).items():
            for name, value in _names(text):
                at = max(text.lower().find(name), 0)
                message = (
                    f"{text[at : at + len(name)]} holds the objectGUIDs of others, so "
                    f'nothing in it is "{value}"; write the objectGUID, or name the '
                    "group in `groups`."
                )
                path = ("filters", kind)
                yield Complaint("reference-by-name", message, scope, path, offset=at)


def _names(text: str) -> Iterator[tuple[str, str]]:
    """Yield attribute and name where a reference is compared with a DN."""
    try:
        tree = parse_filter(text)
    except SyntaxFault:
        return
    for name, value in _compared(tree, None):
        if name in REFERENCES and isinstance(value, str) and value.find("=") > 0:
            yield name, value


def _compared(tree: Filter, holder: str | None) -> Iterator[tuple[str, object]]:
    """Yield attributes and what each is compared with, within brackets as well."""
    match tree:
        case Compare(attribute=name, value=value):
            yield holder or name, value
        case Present():
            return
        case ValuePath(attribute=name, operand=operand):
            yield from _compared(operand, name)
        case Not(operand=operand):
            yield from _compared(operand, holder)
        case And(operands=operands) | Or(operands=operands):
            for each in operands:
                yield from _compared(each, holder)
