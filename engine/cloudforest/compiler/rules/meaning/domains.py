"""A scope names places in domains that there are, each of them once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from cloudforest.base.diagnostics import DocumentPath, Severity
from cloudforest.compiler.document import Complaint, Document
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


def places_are_named_once(tree: Tree) -> Iterator[Complaint]:
    """Warn of a name that adds nothing, since another one of its list holds it.

    It is a mistake, or will be one: who takes the other out leaves this one in.
    """
    for scope in tree.of("Scope"):
        for key in ("organizationalUnits", "except", "groups"):
            yield from _held(scope, key)


def _held(scope: Document, key: str) -> Iterator[Complaint]:
    named = [
        (path, dn, parse_dn(dn))
        for path, dn in places_of(scope)
        if path[0] == key and _is_readable(dn)
    ]
    first: dict[tuple[bool, tuple[str, ...]], tuple[DocumentPath, str]] = {}
    for path, dn, names in named:
        first.setdefault((path[-1] == "oneLevel", names), (path, dn))
    for path, dn, names in named:
        above = len(names) if key != "groups" else 1
        holders = [(False, names[at:]) for at in range(above)]
        if path[-1] == "oneLevel":
            holders.append((True, names))
        found = (first.get(each) for each in holders)
        others = (each for each in found if each is not None and each[0] != path)
        for _, holder in islice(others, 1):
            message = (
                f'"{dn}" adds nothing, as "{holder}" is in the list; remove one of the '
                "two."
            )
            yield Complaint("redundant-place", message, scope, path, Severity.WARNING)


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
