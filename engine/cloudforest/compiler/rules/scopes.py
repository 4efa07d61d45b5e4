"""Check the DNs of scopes: in a known domain, readable by its agents, each once."""

from __future__ import annotations

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.base.wording import suggest_names
from cloudforest.compiler.document import Document, Mistakes
from cloudforest.compiler.rules.syntax import list_scope_dns
from cloudforest.compiler.tree import DocumentTree
from cloudforest.program.scoping.dn import find_domain_name, parse_dn_or_none


def _explain_undeclared_domain(found: str | None, declared: frozenset[str]) -> str:
    if found is None:
        end = ",".join(f"DC={each}" for each in min(declared).split("."))
        return (
            f"names no domain. End it with its DC parts, such as {end}. Within [ ], "
            "put the DN in quotes."
        )
    return (
        f"is in {found}, which this tree does not declare. "
        f"{suggest_names(found, declared)}"
    )


def check_scope_domains(tree: DocumentTree) -> Mistakes:
    """Report DNs that are in no domain of the tree.

    A scope that no job uses may be written before its domain is.
    """
    declared = tree.names.get("domain")
    if not tree.is_complete or not declared:
        return
    used = {job.content["scope"] for job in tree.documents_of("Job")}
    for scope in (each for each in tree.documents_of("Scope") if each.name in used):
        for path, dn in list_scope_dns(scope):
            found = find_domain_name(dn)
            if found not in declared and parse_dn_or_none(dn) is not None:
                explanation = _explain_undeclared_domain(found, declared)
                message = f'"{dn}" {explanation}'
                yield scope.error("scope-in-no-domain", message, *path)


def _find_redundant_dns(scope: Document, key: str) -> Mistakes:
    named = [
        (path, dn, names)
        for path, dn in list_scope_dns(scope)
        if path[0] == key and (names := parse_dn_or_none(dn)) is not None
    ]
    first: dict[tuple[bool, tuple[str, ...]], tuple[DocumentPath, str]] = {}
    for path, dn, names in named:
        first.setdefault((path[-1] == "oneLevel", names), (path, dn))
    for path, dn, names in named:
        above = len(names) if key != "groups" else 1
        holders = [(False, names[at:]) for at in range(above)]
        if path[-1] == "oneLevel":
            holders.append((True, names))
        found = (first[each] for each in holders if each in first)
        holder = next((other for place, other in found if place != path), None)
        if holder is not None:
            message = (
                f'"{dn}" is already covered by "{holder}" in this list. Remove one of '
                "the two."
            )
            yield scope.warning("redundant-place", message, *path)


def check_redundant_dns(tree: DocumentTree) -> Mistakes:
    """Warn of a DN that another one in its list covers.

    It is a trap: removing the other one leaves this one in scope.
    """
    for scope in tree.documents_of("Scope"):
        for key in ("organizationalUnits", "except", "groups"):
            yield from _find_redundant_dns(scope, key)


def _describe_unreachable(
    tree: DocumentTree, job: Document, path: DocumentPath, *, dn: str, domain: str
) -> str | None:
    home = job.content["domain"]
    if path[0] != "groups":
        return (
            f'"{dn}" is in the domain {domain}, but the job "{job.name}" only reads '
            f"{home}. Name an OU of {home}, or write a scope and a job for {domain}."
        )
    for agent in tree.documents_of("Agent"):
        reads = {each.lower() for each in agent.content["domains"]}
        if home.lower() in reads and domain not in reads:
            return (
                f'"{dn}" is a group of {domain}, but the agent "{agent.name}" of '
                f"{home} does not read that domain. Add {domain} to its `domains`, or "
                f"name a group of {home}."
            )
    return None


def check_scope_reach(tree: DocumentTree) -> Mistakes:
    """Report once each DN in another domain that the job's agents cannot look up.

    An OU only holds objects of one domain. The members of a group in another
    domain are known to an agent that reads both domains. Any agent of the job's domain
    may be asked, so all must read both: half a scope would look like leavers.
    """
    scopes = {each.name: each for each in tree.documents_of("Scope")}
    declared = tree.names.get("domain", frozenset())
    reported: set[tuple[str, DocumentPath]] = set()
    for job in tree.documents_of("Job"):
        name, domain = job.content["scope"], job.content["domain"]
        for path, dn in list_scope_dns(scopes[name]) if name in scopes else ():
            found = find_domain_name(dn)
            if found is None or found not in declared or found == domain.lower():
                continue
            message = _describe_unreachable(tree, job, path, dn=dn, domain=found)
            if message and (name, path) not in reported:
                reported.add((name, path))
                yield scopes[name].error("scope-in-another-domain", message, *path)
