"""The small languages inside values: DNs, filters, expressions, templates, paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import Tree
from cloudforest.program.expressions.syntax import (
    Place,
    in_expression,
    in_template,
    parse_expression,
)
from cloudforest.program.expressions.templates import parse_template
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.forbidden import is_forbidden, is_name
from cloudforest.program.scim.path import canonical_path
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.program.scoping.filter_syntax import leaves, parse_filter


def scopes_are_readable(tree: Tree) -> Iterator[Complaint]:
    for scope in tree.of("Scope"):
        for path, text in places_of(scope):
            yield from _Reader(scope, path, text).read("dn-syntax", parse_dn)
        for kind, text in scope.content.get("filters", {}).items():
            reader = _Reader(scope, ("filters", kind), text)
            yield from reader.read("filter-syntax", parse_filter, places=_in_filter)


def _in_filter(text: str) -> Iterator[Place]:
    return ((each.written, each.offset) for each in leaves(text))


def places_of(scope: Document) -> Iterator[tuple[DocumentPath, str]]:
    """Yield the DNs that a scope names, and where it does."""
    for key in ("organizationalUnits", "except", "groups"):
        names = scope.content.get(key, [])
        for index, each in enumerate(names if isinstance(names, list) else []):
            if isinstance(each, str):
                yield (key, index), each
            else:
                yield (key, index, "oneLevel"), each["oneLevel"]


def mappings_are_readable(tree: Tree) -> Iterator[Complaint]:
    for mapping in tree.of("Mapping"):
        entries = mapping.content.get("attributeMappings", {})
        yield from _targets(mapping, entries)
        for target, entry in entries.items():
            yield from _values(mapping, target, entry or {})


def _targets(mapping: Document, entries: Iterable[str]) -> Iterator[Complaint]:
    seen: dict[str, str] = {}
    for target in entries:
        path = ("attributeMappings", target)
        try:
            name = canonical_path(target)
        except SyntaxFault as fault:
            yield Complaint("path-syntax", str(fault), mapping, path, at_key=True)
            continue
        if name in seen:
            message = (
                f'"{target}" is the same attribute as "{seen[name]}"; '
                "keep one of the two."
            )
            yield Complaint("duplicate-target", message, mapping, path, at_key=True)
        seen.setdefault(name, target)


def _values(
    mapping: Document, target: str, entry: dict[str, Any]
) -> Iterator[Complaint]:
    path = ("attributeMappings", target)
    if "source" in entry:
        reader = _Reader(mapping, (*path, "source"), entry["source"])
        yield from reader.read(
            "expression-syntax", parse_expression, places=in_expression
        )
    if "template" in entry:
        reader = _Reader(mapping, (*path, "template"), entry["template"])
        yield from reader.read("template-syntax", parse_template, places=in_template)


class _Reader:
    """One text in a document, to be parsed and asked what it reads."""

    def __init__(self, document: Document, path: DocumentPath, text: str) -> None:
        self.document = document
        self.path = path
        self.text = text

    def read(
        self,
        id_: str,
        parse: Callable[[str], object],
        *,
        places: Callable[[str], Iterable[Place]] | None = None,
    ) -> Iterator[Complaint]:
        try:
            parse(self.text)
        except SyntaxFault as fault:
            yield self._complaint(id_, str(fault), fault.offset)
            return
        first: dict[str, Place] = {}
        for written, offset in places(self.text) if places else ():
            first.setdefault(written.lower(), (written, offset))
        for written, offset in first.values():
            yield from self._named(id_, written, offset)

    def _named(self, id_: str, written: str, offset: int) -> Iterator[Complaint]:
        if is_forbidden(written):
            message = (
                f'The attribute "{written}" holds secrets and is never read; take it'
                " out."
            )
            yield self._complaint("forbidden-attribute", message, offset)
        elif not is_name(written):
            message = (
                f'No directory has an attribute "{written}": a name is made of letters,'
                " digits and hyphens, and stands without options such as ;binary."
            )
            yield self._complaint(id_, message, offset)

    def _complaint(self, id_: str, message: str, offset: int) -> Complaint:
        return Complaint(id_, message, self.document, self.path, offset=offset)
