"""A scope names places in domains that there are."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.compiler.document import Complaint
from cloudforest.compiler.rules.language import places_of
from cloudforest.compiler.suggest import hint
from cloudforest.compiler.tree import Tree
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import domain_of, parse_dn


def scopes_are_in_domains(tree: Tree) -> Iterator[Complaint]:
    """Complain of names that no agent can find, for what they end in.

    A scope that no job uses may be there before its domain is.
    """
    declared = tree.names.get("domain", frozenset()) if tree.complete else frozenset()
    used = {job.content["scope"] for job in tree.of("Job")} if declared else ()
    for scope in (each for each in tree.of("Scope") if each.name in used):
        for path, dn in places_of(scope):
            if domain_of(dn) not in declared and _is_readable(dn):
                message = f'"{dn}" {_why(dn, declared)}'
                yield Complaint("scope-in-no-domain", message, scope, path)


def _why(dn: str, declared: frozenset[str]) -> str:
    found = domain_of(dn)
    if found is None:
        labels = min(declared).split(".")
        end = ",".join(f"DC={each}" for each in labels)
        return (
            f"says no domain; end it with the DC parts of its own, such as {end}, and "
            "within [ ] put it in quotes."
        )
    return f"lies in {found}, which is no domain of this tree; {hint(found, declared)}"


def _is_readable(dn: str) -> bool:
    try:
        parse_dn(dn)
    except SyntaxFault:
        return False
    return True
