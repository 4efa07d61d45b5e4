"""An object is in the scope of one tool only: ours, or Microsoft Entra Connect Sync."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cloudforest.base.diagnostics import Severity
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.resolve import DEFAULT_SCENARIO
from cloudforest.compiler.tree import Tree
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import domain_of, is_below, parse_dn


def one_tool_syncs_an_object(tree: Tree) -> Iterator[Complaint]:
    """Complain of a `connectSync` that can't be meant, and of jobs that surely meet it.

    Groups and filters of a job may leave out what the other tool has: of these jobs
    nobody can tell by the documents.
    """
    for tenant in tree.of("Tenant"):
        if (written := tenant.content.get("connectSync")) is None:
            continue
        if tenant.content.get("scenario", DEFAULT_SCENARIO) == DEFAULT_SCENARIO:
            message = (
                "`connectSync` says what another tool syncs, and the scenario "
                f"{DEFAULT_SCENARIO} that there is none; write `scenario: "
                "existing-hybrid-pilot` or `existing-hybrid-new-forest`."
            )
            path = ("connectSync",)
            yield Complaint("connect-sync-scenario", message, tenant, path)
        faults = list(_unreadable(tenant, written))
        yield from faults or _met(tree, _other_tool(tree, written))


def _unreadable(tenant: Document, written: dict[str, Any]) -> Iterator[Complaint]:
    for key in ("organizationalUnits", "groups"):
        for index, dn in enumerate(written.get(key, ())):
            try:
                parse_dn(dn)
            except SyntaxFault as fault:
                path = ("connectSync", key, index)
                offset = fault.offset
                yield Complaint("dn-syntax", str(fault), tenant, path, offset=offset)


@dataclass(frozen=True)
class _OtherTool:
    """`domains` are those of its forests that it syncs whole."""

    domains: frozenset[str]
    units: list[str]
    groups: list[str]


def _other_tool(tree: Tree, written: dict[str, Any]) -> _OtherTool:
    units = written.get("organizationalUnits", [])
    held = set(map(domain_of, units))
    forests = [
        frozenset(domain["name"].lower() for domain in each.content["domains"])
        for each in tree.of("Forest")
        if each.name in written.get("forests", ())
    ]
    whole = (each for each in forests if held.isdisjoint(each))
    return _OtherTool(frozenset().union(*whole), units, written.get("groups", []))


def _met(tree: Tree, other: _OtherTool) -> Iterator[Complaint]:
    scopes = {each.name: each.content for each in tree.of("Scope")}
    for job in tree.of("Job"):
        scope = scopes.get(job.content["scope"])
        if scope is None or job.content.get("enabled") is False:
            continue
        try:
            shared = _shared(job.content["domain"].lower(), scope, other)
        except SyntaxFault:
            continue  # the rule of scopes tells it
        if shared is not None:
            message = (
                f'The job "{job.name}" and Connect Sync both sync {shared}; an object '
                "belongs in the scope of one tool only: take it out of the other tool "
                "and of `connectSync`, or narrow the scope."
            )
            severity = Severity.WARNING
            yield Complaint("connect-sync-overlap", message, job, ("scope",), severity)


def _shared(domain: str, scope: dict[str, Any], other: _OtherTool) -> str | None:
    """Return what both tools surely sync, in words; None where nobody can tell."""
    if domain in other.domains:
        return f"objects of {domain}"
    groups = set(map(parse_dn, scope.get("groups", ())))
    for theirs in other.groups:
        if parse_dn(theirs) in groups:
            return f'the members of "{theirs}"'
    if groups:
        return None
    met = (each for each in other.units if _meets(domain, scope, each))
    return next((f'what is in "{each}"' for each in met), None)


def _meets(domain: str, scope: dict[str, Any], theirs: str) -> bool:
    """Tell whether a subtree of the other tool holds what a scope surely takes."""
    unit, listed = parse_dn(theirs), scope["organizationalUnits"]
    if any(is_below(unit, parse_dn(each)) for each in scope.get("except", ())):
        return False
    if listed == "all":
        return domain_of(theirs) == domain
    return any(
        is_below(parse_dn(each["oneLevel"]), unit)
        if isinstance(each, dict)
        else is_below(ours := parse_dn(each), unit) or is_below(unit, ours)
        for each in listed
    )
