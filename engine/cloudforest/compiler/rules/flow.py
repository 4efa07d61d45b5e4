"""Flow options and the expressions and targets that they fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.resolve import ALWAYS_SENSITIVE
from cloudforest.compiler.tree import Tree, canonical
from cloudforest.model.program import Expression
from cloudforest.program.attributes_read import attributes_of
from cloudforest.program.expressions.analysis import (
    DOMAIN,
    UNIQUE,
    impure_functions,
    uses,
)
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.expressions.templates import parse_template
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.mapping.types import (
    OF_MEMBERS,
    ONCE,
    is_reference,
    unmatchable,
)
from cloudforest.program.scim.path import parse_path


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
    if entry.get("matchingPriority") and (why := unmatchable(path)):
        message = (
            f'"{target}" {why}, so no resource is found by it; match by an attribute'
            " with one text, number or truth value."
        )
        key = (*where, "matchingPriority")
        yield Complaint("unmatchable-attribute", message, mapping, key)
    if entry.get("exportMissingReferences") and not is_reference(path):
        message = (
            f'"{target}" is not a single reference, so none of it can be missing;'
            " `exportMissingReferences` is for manager and the like."
        )
        key = (*where, "exportMissingReferences")
        yield Complaint("flow-rule", message, mapping, key)


def _sources(tree: Tree) -> Iterator[tuple[Document, str, dict[str, Any], Expression]]:
    for mapping in tree.of("Mapping"):
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            if not entry or "source" not in entry:
                continue
            try:
                yield mapping, target, entry, parse_expression(entry["source"])
            except SyntaxFault:  # told by `expression-syntax`
                continue


def unique_values_are_chosen_once(tree: Tree) -> Iterator[Complaint]:
    """Refuse what would choose again, or look for a resource by what it chooses."""
    for mapping, target, entry, expression in _sources(tree):
        if not uses(expression, UNIQUE):
            continue
        path = ("attributeMappings", target)
        if entry.get("matchingPriority"):
            message = (
                f'"{target}" is matched by, and {UNIQUE} would look for values that no'
                " resource has; match by another attribute."
            )
            yield Complaint(
                "unique-value-flow", message, mapping, (*path, "matchingPriority")
            )
        if entry.get("flowType") != "ObjectAddOnly":
            message = (
                f'{UNIQUE} chooses once, when the resource of "{target}" is created;'
                " write flowType: ObjectAddOnly."
            )
            yield Complaint("unique-value-flow", message, mapping, (*path, "source"))


def default_domain_is_known(tree: Tree) -> Iterator[Complaint]:
    if any("defaultDomain" in each.content for each in tree.of("Tenant")):
        return
    for mapping, target, entry, expression in _sources(tree):
        if uses(expression, DOMAIN):
            message = (
                f"{DOMAIN}() needs the tenant's default domain; write defaultDomain: in"
                " the Tenant."
            )
            place = ("attributeMappings", target, "source")
            offset = max(entry["source"].find(DOMAIN), 0)
            yield Complaint(
                "missing-default-domain", message, mapping, place, offset=offset
            )


def passwords_are_nowhere_written(tree: Tree) -> Iterator[Complaint]:
    """Refuse a password that is the same for everybody, and stands in the document."""
    for mapping in tree.of("Mapping"):
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            if canonical(target) not in ALWAYS_SENSITIVE or not entry:
                continue
            for key in filter(entry.get, ("source", "constant", "template")):
                if key == "constant" or _is_constant(key, entry[key]):
                    yield _plain_text(mapping, target, key)
            if entry.get("defaultValue") is not None:
                yield _plain_text(mapping, target, "defaultValue")


def _is_constant(key: str, text: str) -> bool:
    """Tell whether an expression or template gives the same for every object."""
    try:
        parsed = parse_template(text) if key == "template" else parse_expression(text)
    except SyntaxFault:
        return False
    return not attributes_of(parsed) and not impure_functions(parsed)


def _plain_text(mapping: Document, target: str, key: str) -> Complaint:
    message = (
        f'`{key}` of "{target}" is a password in plain text, the same for everybody; '
        "draw one for each with RandomString, and change this one wherever it was used."
    )
    path = ("attributeMappings", target, key)
    return Complaint("plain-text-secret", message, mapping, path, hidden=True)
