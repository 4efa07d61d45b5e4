"""Check that flow options fit their expressions and target attributes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.compiler.document import Document, Mistake, Mistakes
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
from cloudforest.program.expressions.syntax import (
    parse_expression,
    parse_expression_or_none,
)
from cloudforest.program.expressions.templates import parse_template
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.mapping.types import (
    MEMBER_FLOW_TYPES,
    WRITE_ONCE_FLOW_TYPES,
    find_unmatchable_reason,
    is_reference_path,
)
from cloudforest.program.scim.path import parse_path_or_none


def _check_impure_source(
    mapping: Document, target: str, entry: dict[str, Any]
) -> Mistakes:
    expression = parse_expression_or_none(entry.get("source", ""))
    names = find_impure_functions(expression) if expression is not None else ()
    if not names:
        return
    path = ("attributeMappings", target, "source")
    offset = max(entry["source"].find(names[0]), 0)
    if entry.get("matchingPriority", 0):
        message = (
            f"{names[0]} gives a new value each time, so it cannot be used to match. "
            "Match by another attribute."
        )
        yield mapping.error("impure-expression", message, *path, offset=offset)
    elif entry.get("flowType", "Always") not in WRITE_ONCE_FLOW_TYPES:
        message = (
            f"{names[0]} gives a new value each time, so it would be written in every "
            "cycle. Write `flowType: ObjectAddOnly`, ValueAddOnly or "
            "AttributeAddOnly."
        )
        yield mapping.error("impure-expression", message, *path, offset=offset)


def _check_flow_of_target(
    mapping: Document, target: str, entry: dict[str, Any]
) -> Mistakes:
    path = parse_path_or_none(target)
    if path is None:
        return
    where = ("attributeMappings", target)
    flow = entry.get("flowType", "Always")
    if str(path) == "members" and flow not in MEMBER_FLOW_TYPES:
        message = (
            f"`members` cannot have the flow type {flow}, as each member is added and "
            "removed separately. Write Always or MultiValueAddOnly."
        )
        yield mapping.error("flow-rule", message, *where, "flowType")
    if entry.get("matchingPriority") and (why := find_unmatchable_reason(path)):
        yield make_unmatchable(mapping, target, why)
    if entry.get("exportMissingReferences") and not is_reference_path(path):
        message = (
            f'"{target}" is not a single reference, so `exportMissingReferences` has '
            "no effect on it. Remove it: it is for attributes such as manager."
        )
        yield mapping.error("flow-rule", message, *where, "exportMissingReferences")


def check_flow_options(tree: DocumentTree) -> Mistakes:
    """Report options that do not suit the expression or the target attribute.

    A value that differs each time can be written once only, and cannot be matched by.
    """
    for mapping, target, entry in tree.list_attribute_mappings():
        if entry is not None:
            yield from _check_impure_source(mapping, target, entry)
            yield from _check_flow_of_target(mapping, target, entry)


def make_unmatchable(mapping: Document, target: str, why: str) -> Mistake:
    """Return the diagnostic of a `matchingPriority`; `why` is a verb phrase."""
    message = (
        f'"{target}" {why}, so it cannot be used to match. Match by an attribute that '
        "holds one text, number or boolean."
    )
    return mapping.error(
        "unmatchable-attribute",
        message,
        "attributeMappings",
        target,
        "matchingPriority",
    )


def _find_sources(
    tree: DocumentTree,
) -> Iterator[tuple[Document, str, dict[str, Any], Expression]]:
    for mapping, target, entry in tree.list_attribute_mappings():
        if entry and "source" in entry:
            expression = parse_expression_or_none(entry["source"])
            if expression is not None:
                yield mapping, target, entry, expression


def check_unique_values(tree: DocumentTree) -> Mistakes:
    """Refuse to choose a unique value again, or to match by one."""
    for mapping, target, entry, expression in _find_sources(tree):
        if not uses_function(expression, SELECT_UNIQUE_VALUE):
            continue
        path = ("attributeMappings", target)
        if entry.get("matchingPriority"):
            message = (
                f'"{target}" is used to match, but {SELECT_UNIQUE_VALUE} gives values '
                "that no resource has. Match by another attribute."
            )
            yield mapping.error("unique-value-flow", message, *path, "matchingPriority")
        if entry.get("flowType") != "ObjectAddOnly":
            message = (
                f"{SELECT_UNIQUE_VALUE} chooses only once, when the resource is "
                f'created. Write `flowType: ObjectAddOnly` for "{target}".'
            )
            yield mapping.error("unique-value-flow", message, *path, "source")


def check_default_domain(tree: DocumentTree) -> Mistakes:
    if any("defaultDomain" in each.content for each in tree.documents_of("Tenant")):
        return
    for mapping, target, entry, expression in _find_sources(tree):
        if uses_function(expression, DEFAULT_DOMAIN):
            message = (
                f"{DEFAULT_DOMAIN}() needs the default domain of the tenant. Write "
                "`defaultDomain:` in the Tenant."
            )
            offset = max(entry["source"].find(DEFAULT_DOMAIN), 0)
            yield mapping.error(
                "missing-default-domain",
                message,
                "attributeMappings",
                target,
                "source",
                offset=offset,
            )


def _is_constant(key: str, text: str) -> bool:
    """Tell whether an expression or template gives every object the same value."""
    try:
        parsed = parse_template(text) if key == "template" else parse_expression(text)
    except SyntaxFault:
        return False
    return not find_expression_attributes(parsed) and not find_impure_functions(parsed)


def _make_plain_text(mapping: Document, target: str, key: str) -> Mistake:
    message = (
        f'`{key}` of "{target}" is a password in plain text, the same for everybody. '
        "Use RandomString to make one for each user. Change this password wherever "
        "you used it."
    )
    return mapping.error(
        "plain-text-secret",
        message,
        "attributeMappings",
        target,
        key,
        is_line_hidden=True,
    )


def check_plain_passwords(tree: DocumentTree) -> Mistakes:
    """Refuse a password that stands in the document and is the same for everybody."""
    for mapping, target, entry in tree.list_attribute_mappings():
        if canonical_target(target) not in SENSITIVE_TARGETS or not entry:
            continue
        for key in filter(entry.get, ("source", "constant", "template")):
            if key == "constant" or _is_constant(key, entry[key]):
                yield _make_plain_text(mapping, target, key)
        if entry.get("defaultValue") is not None:
            yield _make_plain_text(mapping, target, "defaultValue")
