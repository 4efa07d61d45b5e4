"""A scope names what lies in the domain that its job reads."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Complaint
from cloudforest.compiler.rules.language import places_of
from cloudforest.compiler.tree import Tree
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn


def scopes_lie_in_their_domain(tree: Tree) -> Iterator[Complaint]:
    """Complain once of each name that lies in another domain of the tree.

    An agent answers for one domain at a time: who is in a group of another one, it
    can't say, and half a scope would look like people who have left.
    """
    scopes = {each.name: each for each in tree.of("Scope")}
    declared = tree.names.get("domain", frozenset())
    told: set[tuple[str, DocumentPath]] = set()
    for job in tree.of("Job"):
        name, domain = job.content["scope"], job.content["domain"]
        for path, dn in places_of(scopes[name]) if name in scopes else ():
            found = _domain(dn)
            if found not in declared or found == domain.lower() or (name, path) in told:
                continue
            told.add((name, path))
            message = (
                f'"{dn}" is in the domain {found}, and the job "{job.name}" reads '
                f"{domain} alone; name what lies in {domain}, or write a scope and a "
                "job for the other one."
            )
            yield Complaint("scope-in-another-domain", message, scopes[name], path)


def _domain(dn: str) -> str | None:
    """Return the DNS name of a DN's domain; None for what can't be read."""
    try:
        names = parse_dn(dn)
    except SyntaxFault:
        return None
    parts: list[str] = []
    for each in reversed(names):
        if not each.startswith("dc="):
            break
        parts.insert(0, each.removeprefix("dc="))
    return ".".join(parts)
