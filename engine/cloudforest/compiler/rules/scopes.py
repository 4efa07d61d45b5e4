"""A scope names places in domains that there are, each of them once.

A scope names what the agents of its job's domain can look up.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from cloudforest.base.diagnostics import DocumentPath, Severity
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.rules.syntax import places_of
from cloudforest.compiler.tree import Tree
from cloudforest.compiler.wording import hint
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


def scopes_are_within_reach(tree: Tree) -> Iterator[Complaint]:
    """Complain once of each name of another domain of the tree that nobody looks up.

    An OU holds objects of its own domain only. Who of the job's domain is in a group of
    another one, an agent that reads both can say, and any agent of the job's domain may
    be asked; half a scope would look like people who have left.
    """
    scopes = {each.name: each for each in tree.of("Scope")}
    declared = tree.names.get("domain", frozenset())
    told: set[tuple[str, DocumentPath]] = set()
    for job in tree.of("Job"):
        name, domain = job.content["scope"], job.content["domain"]
        for path, dn in places_of(scopes[name]) if name in scopes else ():
            found = domain_of(dn)
            if found is None or found not in declared or found == domain.lower():
                continue
            message = _complaint(tree, job, path, dn=dn, domain=found)
            if message and (name, path) not in told:
                told.add((name, path))
                yield Complaint("scope-in-another-domain", message, scopes[name], path)


def _complaint(
    tree: Tree, job: Document, path: DocumentPath, *, dn: str, domain: str
) -> str | None:
    home = job.content["domain"]
    if path[0] != "groups":
        return (
            f'"{dn}" is in the domain {domain}, and the job "{job.name}" reads {home} '
            f"alone; name what lies in {home}, or write a scope and a job for the "
            "other one."
        )
    blind = next(_agents_without(tree, home, domain), None)
    if blind is None:
        return None
    return (
        f'"{dn}" is a group of {domain}, and the agent "{blind}" of {home} does not '
        f"read that domain; add {domain} to its domains, or name a group of {home}."
    )


def _agents_without(tree: Tree, home: str, domain: str) -> Iterator[str]:
    """Yield the agents that read the one domain and not the other."""
    for agent in tree.of("Agent"):
        reads = {each.lower() for each in agent.content["domains"]}
        if home.lower() in reads and domain not in reads:
            yield agent.name
