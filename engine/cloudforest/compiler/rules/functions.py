"""Functions that need more than an object: the target, and the tenant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import Tree
from cloudforest.model.program import Expression
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.expressions.facts import DOMAIN, UNIQUE, uses
from cloudforest.program.faults import SyntaxFault


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
