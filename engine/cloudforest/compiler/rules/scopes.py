"""A scope names places in domains that there are, each of them once.

A scope names what the agents of its job's domain can look up.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from cloudforest.base.diagnostics import DocumentPath, Severity
from cloudforest.compiler.document import Document, DocumentDiagnostic
from cloudforest.compiler.rules.syntax import list_scope_dns
from cloudforest.compiler.tree import DocumentTree
from cloudforest.compiler.wording import suggest_names
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import find_domain_name, parse_dn


def check_scope_domains(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    """Complain of names that no agent can find, for what they end in.

    A scope that no job uses may be there before its domain is.
    """
    declared = (
        tree.names.get("domain", frozenset()) if tree.is_complete else frozenset()
    )
    used = (
        {job.content["scope"] for job in tree.documents_of("Job")} if declared else ()
    )
    for scope in (each for each in tree.documents_of("Scope") if each.name in used):
        for path, dn in list_scope_dns(scope):
            if find_domain_name(dn) not in declared and _is_readable_dn(dn):
                message = f'"{dn}" {_explain_undeclared_domain(dn, declared)}'
                yield DocumentDiagnostic("scope-in-no-domain", message, scope, path)


def check_redundant_dns(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    """Warn of a name that adds nothing, since another one of its list holds it.

    It is a mistake, or will be one: who takes the other out leaves this one in.
    """
    for scope in tree.documents_of("Scope"):
        for key in ("organizationalUnits", "except", "groups"):
            yield from _find_redundant_dns(scope, key)


def _find_redundant_dns(scope: Document, key: str) -> Iterator[DocumentDiagnostic]:
    named = [
        (path, dn, parse_dn(dn))
        for path, dn in list_scope_dns(scope)
        if path[0] == key and _is_readable_dn(dn)
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
            yield DocumentDiagnostic(
                "redundant-place", message, scope, path, Severity.WARNING
            )


def _explain_undeclared_domain(dn: str, declared: frozenset[str]) -> str:
    found = find_domain_name(dn)
    if found is None:
        labels = min(declared).split(".")
        end = ",".join(f"DC={each}" for each in labels)
        return (
            f"says no domain; end it with the DC parts of its own, such as {end}, and "
            "within [ ] put it in quotes."
        )
    return (
        f"lies in {found}, which is no domain of this tree; "
        f"{suggest_names(found, declared)}"
    )


def _is_readable_dn(dn: str) -> bool:
    try:
        parse_dn(dn)
    except SyntaxFault:
        return False
    return True


def check_scope_reach(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    """Complain once of each name of another domain of the tree that nobody looks up.

    An OU holds objects of its own domain only. Who of the job's domain is in a group of
    another one, an agent that reads both can say, and any agent of the job's domain may
    be asked; half a scope would look like people who have left.
    """
    scopes = {each.name: each for each in tree.documents_of("Scope")}
    declared = tree.names.get("domain", frozenset())
    told: set[tuple[str, DocumentPath]] = set()
    for job in tree.documents_of("Job"):
        name, domain = job.content["scope"], job.content["domain"]
        for path, dn in list_scope_dns(scopes[name]) if name in scopes else ():
            found = find_domain_name(dn)
            if found is None or found not in declared or found == domain.lower():
                continue
            message = _describe_unreachable(tree, job, path, dn=dn, domain=found)
            if message and (name, path) not in told:
                told.add((name, path))
                yield DocumentDiagnostic(
                    "scope-in-another-domain", message, scopes[name], path
                )


def _describe_unreachable(
    tree: DocumentTree, job: Document, path: DocumentPath, *, dn: str, domain: str
) -> str | None:
    home = job.content["domain"]
    if path[0] != "groups":
        return (
            f'"{dn}" is in the domain {domain}, and the job "{job.name}" reads {home} '
            f"alone; name what lies in {home}, or write a scope and a job for the "
            "other one."
        )
    blind = next(_find_agents_without(tree, home, domain), None)
    if blind is None:
        return None
    return (
        f'"{dn}" is a group of {domain}, and the agent "{blind}" of {home} does not '
        f"read that domain; add {domain} to its domains, or name a group of {home}."
    )


def _find_agents_without(tree: DocumentTree, home: str, domain: str) -> Iterator[str]:
    """Yield the agents that read the one domain and not the other."""
    for agent in tree.documents_of("Agent"):
        reads = {each.lower() for each in agent.content["domains"]}
        if home.lower() in reads and domain not in reads:
            yield agent.name
