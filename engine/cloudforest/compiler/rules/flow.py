"""Flow options and the expressions and targets that they fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.compiler.document import Document, DocumentDiagnostic
from cloudforest.compiler.resolve import SENSITIVE_TARGETS
from cloudforest.compiler.tree import DocumentTree, canonical_target
from cloudforest.model.program import Expression
from cloudforest.program.attributes_read import find_expression_attributes
from cloudforest.program.expressions.analysis import (
    DEFAULT_DOMAIN,
    SELECT_UNIQUE_VALUE,
    find_impure_functions,
    uses_function,
)
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.expressions.templates import parse_template
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.mapping.types import (
    MEMBER_FLOW_TYPES,
    WRITE_ONCE_FLOW_TYPES,
    find_unmatchable_reason,
    is_reference_path,
)
from cloudforest.program.scim.path import parse_path


def check_flow_options(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    """Have what is drawn anew each time written once, and references as they can."""
    for mapping in tree.documents_of("Mapping"):
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            if isinstance(entry, dict):
                yield from _check_impure_source(mapping, target, entry)
                yield from _check_flow_of_target(mapping, target, entry)


def _find_impure_functions(text: Any) -> tuple[str, ...]:
    """Name the impure functions; what can't be read is another rule's matter."""
    try:
        return find_impure_functions(parse_expression(str(text)))
    except SyntaxFault:
        return ()


def _check_impure_source(
    mapping: Document, target: str, entry: dict[str, Any]
) -> Iterator[DocumentDiagnostic]:
    names = _find_impure_functions(entry["source"]) if "source" in entry else ()
    if not names:
        return
    path = ("attributeMappings", target, "source")
    given = f"{names[0]} gives another value each time"
    offset = max(str(entry["source"]).find(names[0]), 0)
    if entry.get("matchingPriority", 0):
        message = f"{given}, so nothing can be found by it; match by another attribute."
        yield DocumentDiagnostic(
            "impure-expression", message, mapping, path, offset=offset
        )
    elif entry.get("flowType", "Always") not in WRITE_ONCE_FLOW_TYPES:
        message = (
            f"{given}, so it would be written in every cycle; write `flowType:"
            " ObjectAddOnly`, or ValueAddOnly or AttributeAddOnly."
        )
        yield DocumentDiagnostic(
            "impure-expression", message, mapping, path, offset=offset
        )


def _check_flow_of_target(
    mapping: Document, target: str, entry: dict[str, Any]
) -> Iterator[DocumentDiagnostic]:
    try:
        path = parse_path(target)
    except SyntaxFault:
        return
    where = ("attributeMappings", target)
    flow = entry.get("flowType", "Always")
    if str(path) == "members" and flow not in MEMBER_FLOW_TYPES:
        message = (
            f"Members can't flow as {flow}, since each comes and goes for itself;"
            " write Always or MultiValueAddOnly."
        )
        yield DocumentDiagnostic("flow-rule", message, mapping, (*where, "flowType"))
    if entry.get("matchingPriority") and (why := find_unmatchable_reason(path)):
        message = (
            f'"{target}" {why}, so no resource is found by it; match by an attribute'
            " with one text, number or truth value."
        )
        key = (*where, "matchingPriority")
        yield DocumentDiagnostic("unmatchable-attribute", message, mapping, key)
    if entry.get("exportMissingReferences") and not is_reference_path(path):
        message = (
            f'"{target}" is not a single reference, so none of it can be missing;'
            " `exportMissingReferences` is for manager and the like."
        )
        key = (*where, "exportMissingReferences")
        yield DocumentDiagnostic("flow-rule", message, mapping, key)


def _find_sources(
    tree: DocumentTree,
) -> Iterator[tuple[Document, str, dict[str, Any], Expression]]:
    for mapping in tree.documents_of("Mapping"):
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            if not entry or "source" not in entry:
                continue
            try:
                yield mapping, target, entry, parse_expression(entry["source"])
            except SyntaxFault:  # told by `expression-syntax`
                continue


def check_unique_values(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    """Refuse what would choose again, or look for a resource by what it chooses."""
    for mapping, target, entry, expression in _find_sources(tree):
        if not uses_function(expression, SELECT_UNIQUE_VALUE):
            continue
        path = ("attributeMappings", target)
        if entry.get("matchingPriority"):
            message = (
                f'"{target}" is matched by, and {SELECT_UNIQUE_VALUE} would look '
                "for values that no"
                " resource has; match by another attribute."
            )
            yield DocumentDiagnostic(
                "unique-value-flow", message, mapping, (*path, "matchingPriority")
            )
        if entry.get("flowType") != "ObjectAddOnly":
            message = (
                f"{SELECT_UNIQUE_VALUE} chooses once, when the resource of "
                f'"{target}" is created;'
                " write flowType: ObjectAddOnly."
            )
            yield DocumentDiagnostic(
                "unique-value-flow", message, mapping, (*path, "source")
            )


def check_default_domain(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    if any("defaultDomain" in each.content for each in tree.documents_of("Tenant")):
        return
    for mapping, target, entry, expression in _find_sources(tree):
        if uses_function(expression, DEFAULT_DOMAIN):
            message = (
                f"{DEFAULT_DOMAIN}() needs the tenant's default domain; write "
                "defaultDomain: in"
                " the Tenant."
            )
            place = ("attributeMappings", target, "source")
            offset = max(entry["source"].find(DEFAULT_DOMAIN), 0)
            yield DocumentDiagnostic(
                "missing-default-domain", message, mapping, place, offset=offset
            )


def check_plain_passwords(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    """Refuse a password that is the same for everybody, and stands in the document."""
    for mapping in tree.documents_of("Mapping"):
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            if canonical_target(target) not in SENSITIVE_TARGETS or not entry:
                continue
            for key in filter(entry.get, ("source", "constant", "template")):
                if key == "constant" or _is_constant(key, entry[key]):
                    yield _make_plain_text(mapping, target, key)
            if entry.get("defaultValue") is not None:
                yield _make_plain_text(mapping, target, "defaultValue")


def _is_constant(key: str, text: str) -> bool:
    """Tell whether an expression or template gives the same for every object."""
    try:
        parsed = parse_template(text) if key == "template" else parse_expression(text)
    except SyntaxFault:
        return False
    return not find_expression_attributes(parsed) and not find_impure_functions(parsed)


def _make_plain_text(mapping: Document, target: str, key: str) -> DocumentDiagnostic:
    message = (
        f'`{key}` of "{target}" is a password in plain text, the same for everybody; '
        "draw one for each with RandomString, and change this one wherever it was used."
    )
    path = ("attributeMappings", target, key)
    return DocumentDiagnostic(
        "plain-text-secret", message, mapping, path, is_line_hidden=True
    )
