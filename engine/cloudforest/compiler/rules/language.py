"""The small languages inside values: DNs, filters, expressions, templates, paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import Tree
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.expressions.reads import attributes_of, filter_attributes
from cloudforest.program.expressions.template import parse_template
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.forbidden import is_forbidden
from cloudforest.program.resource import canonical_path
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.program.scoping.scim_filter import parse_filter

T = TypeVar("T")


def scopes_are_readable(tree: Tree) -> Iterator[Complaint]:
    for scope in tree.of("Scope"):
        for path, text in places_of(scope):
            yield from _Reader(scope, path, text).read("dn-syntax", parse_dn)
        for kind, text in scope.content.get("filters", {}).items():
            reader = _Reader(scope, ("filters", kind), text)
            yield from reader.read(
                "filter-syntax", parse_filter, reads=filter_attributes
            )


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
            "expression-syntax", parse_expression, reads=attributes_of
        )
    if "template" in entry:
        reader = _Reader(mapping, (*path, "template"), entry["template"])
        yield from reader.read("template-syntax", parse_template, reads=attributes_of)


class _Reader:
    """One text in a document, to be parsed and asked what it reads."""

    def __init__(self, document: Document, path: DocumentPath, text: str) -> None:
        self.document = document
        self.path = path
        self.text = text

    def read(
        self,
        id_: str,
        parse: Callable[[str], T],
        *,
        reads: Callable[[T], Iterable[str]] | None = None,
    ) -> Iterator[Complaint]:
        try:
            parsed = parse(self.text)
        except SyntaxFault as fault:
            yield self._complaint(id_, str(fault), fault.offset)
            return
        for name in sorted(reads(parsed)) if reads else ():
            if is_forbidden(name):
                yield self._forbidden(name)

    def _forbidden(self, name: str) -> Complaint:
        at = self.text.lower().replace("_", "-").find(name)
        written = self.text[at : at + len(name)] if at >= 0 else name
        message = (
            f'The attribute "{written}" holds secrets and is never read; take it out.'
        )
        return self._complaint("forbidden-attribute", message, max(at, 0))

    def _complaint(self, id_: str, message: str, offset: int) -> Complaint:
        return Complaint(id_, message, self.document, self.path, offset=offset)
