"""Check that flow options fit their expressions and target attributes."""

from __future__ import annotations

from cloudforest.compiler.document import Mistake, Mistakes
from cloudforest.compiler.resolve import SENSITIVE_TARGETS
from cloudforest.compiler.tree import DocumentTree, MappingEntry, canonical_target
from cloudforest.program.expressions.analysis import (
    DEFAULT_DOMAIN,
    SELECT_UNIQUE_VALUE,
    find_expression_attributes,
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


def _make_source_mistake(
    entry: MappingEntry, id_: str, message: str, function: str
) -> Mistake:
    """Return a mistake at the function in the source."""
    offset = max(entry.fields["source"].find(function), 0)
    return entry.error(id_, message, "source", offset=offset)


def _check_impure_source(entry: MappingEntry) -> Mistakes:
    names = find_impure_functions(entry.expression) if entry.expression else ()
    if not names:
        return
    if entry.fields.get("matchingPriority", 0):
        message = (
            f"{names[0]} gives a new value each time, so it cannot be used to match. "
            "Match by another attribute."
        )
        yield _make_source_mistake(entry, "impure-expression", message, names[0])
    elif entry.fields.get("flowType", "Always") not in WRITE_ONCE_FLOW_TYPES:
        message = (
            f"{names[0]} gives a new value each time, so it would be written in every "
            "cycle. Write `flowType: ObjectAddOnly`, ValueAddOnly or "
            "AttributeAddOnly."
        )
        yield _make_source_mistake(entry, "impure-expression", message, names[0])


def check_flow_options(tree: DocumentTree) -> Mistakes:
    """Report options that do not suit the expression or the target attribute.

    A value that differs each time can be written once only, and cannot be matched by.
    """
    for entry in tree.entries:
        yield from _check_impure_source(entry)
        if (path := entry.path) is None:
            continue
        flow = entry.fields.get("flowType", "Always")
        if str(path) == "members" and flow not in MEMBER_FLOW_TYPES:
            message = (
                f"`members` cannot have the flow type {flow}, as each member is added "
                "and removed separately. Write Always or MultiValueAddOnly."
            )
            yield entry.error("flow-rule", message, "flowType")
        why = find_unmatchable_reason(path)
        if why and entry.fields.get("matchingPriority"):
            yield make_unmatchable(entry, why)
        if entry.fields.get("exportMissingReferences") and not is_reference_path(path):
            message = (
                f'"{entry.target}" is not a single reference, so '
                "`exportMissingReferences` has no effect on it. Remove it: it is for "
                "attributes such as manager."
            )
            yield entry.error("flow-rule", message, "exportMissingReferences")


def make_unmatchable(entry: MappingEntry, why: str) -> Mistake:
    """Return the mistake of a `matchingPriority`; `why` is a verb phrase."""
    message = (
        f'"{entry.target}" {why}, so it cannot be used to match. Match by an attribute '
        "that holds one text, number or boolean."
    )
    return entry.error("unmatchable-attribute", message, "matchingPriority")


def check_unique_values(tree: DocumentTree) -> Mistakes:
    """Refuse to choose a unique value again, or to match by one."""
    for entry in tree.entries:
        if not entry.expression or not uses_function(
            entry.expression, SELECT_UNIQUE_VALUE
        ):
            continue
        if entry.fields.get("matchingPriority"):
            message = (
                f'"{entry.target}" is used to match, but {SELECT_UNIQUE_VALUE} gives '
                "values that no resource has. Match by another attribute."
            )
            yield entry.error("unique-value-flow", message, "matchingPriority")
        if entry.fields.get("flowType") != "ObjectAddOnly":
            message = (
                f"{SELECT_UNIQUE_VALUE} chooses only once, when the resource is "
                f'created. Write `flowType: ObjectAddOnly` for "{entry.target}".'
            )
            yield entry.error("unique-value-flow", message, "source")


def check_default_domain(tree: DocumentTree) -> Mistakes:
    if any("defaultDomain" in each.content for each in tree.documents_of("Tenant")):
        return
    message = (
        f"{DEFAULT_DOMAIN}() needs the default domain of the tenant. Write "
        "`defaultDomain:` in the Tenant."
    )
    for entry in tree.entries:
        if entry.expression and uses_function(entry.expression, DEFAULT_DOMAIN):
            yield _make_source_mistake(
                entry, "missing-default-domain", message, DEFAULT_DOMAIN
            )


def _is_constant(key: str, text: str) -> bool:
    """Tell whether an expression or template gives every object the same value."""
    try:
        parsed = parse_template(text) if key == "template" else parse_expression(text)
    except SyntaxFault:
        return False
    return not find_expression_attributes(parsed) and not find_impure_functions(parsed)


def check_plain_passwords(tree: DocumentTree) -> Mistakes:
    """Refuse a password that stands in the document and is the same for everybody."""
    for entry in tree.entries:
        if canonical_target(entry.target) not in SENSITIVE_TARGETS:
            continue
        keys = [
            key
            for key in filter(entry.fields.get, ("source", "constant", "template"))
            if key == "constant" or _is_constant(key, entry.fields[key])
        ]
        if entry.fields.get("defaultValue") is not None:
            keys.append("defaultValue")
        for key in keys:
            message = (
                f'`{key}` of "{entry.target}" is a password in plain text, the same '
                "for everybody. Use RandomString to make one for each user. Change "
                "this password wherever you used it."
            )
            yield entry.error("plain-text-secret", message, key, is_line_hidden=True)
