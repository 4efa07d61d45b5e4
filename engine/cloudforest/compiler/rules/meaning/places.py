"""A scope names what the agents of its job's domain can look up."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.rules.language import places_of
from cloudforest.compiler.tree import Tree
from cloudforest.program.scoping.dn import domain_of


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
