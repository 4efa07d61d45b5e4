"""Check the syntax of DNs, filters, expressions, templates and SCIM paths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Document, Mistakes
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

Dns = Iterable[tuple[DocumentPath, str]]


def _locate_filter_attributes(text: str) -> Iterator[AttributeLocation]:
    return ((each.spelling, each.offset) for each in locate_clauses(text))


class _Language(NamedTuple):
    """How to read a language, and the id of its syntax mistakes."""

    id: str
    parse: Callable[[str], object]
    locate_attributes: Callable[[str], Iterable[AttributeLocation]]


_FILTER = _Language("filter-syntax", parse_filter, _locate_filter_attributes)
_LANGUAGES = {
    "source": _Language("expression-syntax", parse_expression, locate_in_expression),
    "template": _Language("template-syntax", parse_template, locate_in_template),
}
"""By the key of an entry of `attributeMappings`."""


def _check_text(
    document: Document, text: str, language: _Language, *path: str
) -> Mistakes:
    """Check one text of a document, and the attributes that it reads."""
    try:
        language.parse(text)
    except SyntaxFault as fault:
        yield document.error(language.id, str(fault), *path, offset=fault.offset)
        return
    first: dict[str, AttributeLocation] = {}
    for written, offset in language.locate_attributes(text):
        first.setdefault(written.lower(), (written, offset))
    for written, offset in first.values():
        if is_forbidden(written):
            message = (
                f'The attribute "{written}" holds secrets and is never read. Remove it.'
            )
            yield document.error("forbidden-attribute", message, *path, offset=offset)
        elif not is_attribute_name(written):
            message = (
                f'"{written}" is not an attribute name. A name has letters, digits and '
                "hyphens, and no options such as `;binary`."
            )
            yield document.error(language.id, message, *path, offset=offset)


def check_dns(document: Document, dns: Dns) -> Mistakes:
    for path, dn in dns:
        try:
            parse_dn(dn)
        except SyntaxFault as fault:
            yield document.error("dn-syntax", str(fault), *path, offset=fault.offset)


def check_scope_syntax(tree: DocumentTree) -> Mistakes:
    for scope in tree.documents_of("Scope"):
        yield from check_dns(scope, list_scope_dns(scope))
    for scope, kind, text in tree.list_filters():
        yield from _check_text(scope, text, _FILTER, "filters", kind)


def list_scope_dns(scope: Document) -> Dns:
    """Yield the path and text of each DN in a scope."""
    for key in ("organizationalUnits", "except", "groups"):
        names = scope.content.get(key, [])
        for index, each in enumerate(names if isinstance(names, list) else []):
            if isinstance(each, str):
                yield (key, index), each
            else:
                yield (key, index, "oneLevel"), each["oneLevel"]


def check_mapping_syntax(tree: DocumentTree) -> Mistakes:
    first: dict[tuple[int, str], str] = {}
    for entry in tree.entries:
        try:
            attribute = id(entry.mapping), canonical_path(entry.target)
        except SyntaxFault as fault:
            yield entry.error("path-syntax", str(fault), at_key=True)
        else:
            known = first.setdefault(attribute, entry.target)
            if known != entry.target:
                message = (
                    f'"{entry.target}" is the same attribute as "{known}". Keep one of '
                    "the two."
                )
                yield entry.error("duplicate-target", message, at_key=True)
        for key, language in _LANGUAGES.items():
            if key in entry.fields:
                path = ("attributeMappings", entry.target, key)
                yield from _check_text(
                    entry.mapping, entry.fields[key], language, *path
                )


def check_example_objects(tree: DocumentTree) -> Mistakes:
    for example in tree.documents_of("Example"):
        content = example.content["object"]
        groups = enumerate(content.get("groups", ()))
        dns = [(("object", "groups", index), each) for index, each in groups]
        yield from check_dns(example, [(("object", "dn"), content["dn"]), *dns])
        for name in filter(is_forbidden, content.get("attributes", {})):
            message = (
                f'The attribute "{name}" holds secrets and is never read. Remove '
                "it. If the secret is real, change it."
            )
            path = ("object", "attributes", name)
            yield example.error(
                "forbidden-attribute", message, *path, at_key=True, is_line_hidden=True
            )
