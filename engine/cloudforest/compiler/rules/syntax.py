"""Check the syntax of DNs, filters, expressions, templates and SCIM paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Document, Mistake, Mistakes
from cloudforest.compiler.tree import DocumentTree
from cloudforest.program.expressions.syntax import (
    AttributeLocation,
    locate_in_expression,
    locate_in_template,
    parse_expression,
)
from cloudforest.program.expressions.templates import parse_template
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.forbidden import is_attribute_name, is_forbidden
from cloudforest.program.scim.path import canonical_path
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.program.scoping.filter_syntax import locate_clauses, parse_filter


class _SyntaxChecker:
    """Check one text of a document, and the attributes that it reads."""

    def __init__(self, document: Document, path: DocumentPath, text: str) -> None:
        self.document = document
        self.path = path
        self.text = text

    def check(
        self,
        id_: str,
        parse: Callable[[str], object],
        *,
        locate: Callable[[str], Iterable[AttributeLocation]] | None = None,
    ) -> Mistakes:
        try:
            parse(self.text)
        except SyntaxFault as fault:
            yield self._make_diagnostic(id_, str(fault), fault.offset)
            return
        first: dict[str, AttributeLocation] = {}
        for written, offset in locate(self.text) if locate else ():
            first.setdefault(written.lower(), (written, offset))
        for written, offset in first.values():
            yield from self._check_attribute_name(id_, written, offset)

    def _check_attribute_name(self, id_: str, written: str, offset: int) -> Mistakes:
        if is_forbidden(written):
            message = (
                f'The attribute "{written}" holds secrets and is never read. Remove it.'
            )
            yield self._make_diagnostic("forbidden-attribute", message, offset)
        elif not is_attribute_name(written):
            message = (
                f'"{written}" is not an attribute name. A name has letters, digits and '
                "hyphens, and no options such as `;binary`."
            )
            yield self._make_diagnostic(id_, message, offset)

    def _make_diagnostic(self, id_: str, message: str, offset: int) -> Mistake:
        return self.document.error(id_, message, *self.path, offset=offset)


def _locate_filter_attributes(text: str) -> Iterator[AttributeLocation]:
    return ((each.spelling, each.offset) for each in locate_clauses(text))


def check_scope_syntax(tree: DocumentTree) -> Mistakes:
    for scope in tree.documents_of("Scope"):
        for path, text in list_scope_dns(scope):
            yield from _SyntaxChecker(scope, path, text).check("dn-syntax", parse_dn)
    for scope, kind, text in tree.list_filters():
        yield from _SyntaxChecker(scope, ("filters", kind), text).check(
            "filter-syntax", parse_filter, locate=_locate_filter_attributes
        )


def list_scope_dns(scope: Document) -> Iterator[tuple[DocumentPath, str]]:
    """Yield the path and text of each DN in a scope."""
    for key in ("organizationalUnits", "except", "groups"):
        names = scope.content.get(key, [])
        for index, each in enumerate(names if isinstance(names, list) else []):
            if isinstance(each, str):
                yield (key, index), each
            else:
                yield (key, index, "oneLevel"), each["oneLevel"]


def _check_targets(mapping: Document, entries: Iterable[str]) -> Mistakes:
    seen: dict[str, str] = {}
    for target in entries:
        path = ("attributeMappings", target)
        try:
            name = canonical_path(target)
        except SyntaxFault as fault:
            yield mapping.error("path-syntax", str(fault), *path, at_key=True)
            continue
        if name in seen:
            message = (
                f'"{target}" is the same attribute as "{seen[name]}". Keep one of the '
                "two."
            )
            yield mapping.error("duplicate-target", message, *path, at_key=True)
        seen.setdefault(name, target)


def _check_values(mapping: Document, target: str, entry: dict[str, Any]) -> Mistakes:
    path = ("attributeMappings", target)
    if "source" in entry:
        checker = _SyntaxChecker(mapping, (*path, "source"), entry["source"])
        yield from checker.check(
            "expression-syntax", parse_expression, locate=locate_in_expression
        )
    if "template" in entry:
        checker = _SyntaxChecker(mapping, (*path, "template"), entry["template"])
        yield from checker.check(
            "template-syntax", parse_template, locate=locate_in_template
        )


def check_mapping_syntax(tree: DocumentTree) -> Mistakes:
    for mapping in tree.documents_of("Mapping"):
        entries = mapping.content.get("attributeMappings", {})
        yield from _check_targets(mapping, entries)
        for target, entry in entries.items():
            yield from _check_values(mapping, target, entry or {})
