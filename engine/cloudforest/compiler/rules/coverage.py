"""What is declared is used, and what is used is complete."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.base.diagnostics import Severity
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.rules.names import unresolved
from cloudforest.compiler.tree import Tree
from cloudforest.program.scoping.dn import domain_of


def domains_are_served(tree: Tree) -> Iterator[Complaint]:
    """Every domain has an agent to read it and a job that needs it.

    A job or agent whose domain is misspelt may be the one.
    """
    if not tree.whole:
        return
    vain = unresolved(tree)
    may_need = {("Job", "domain"), ("Job", "Scope")} & vain
    read = {
        each.lower() for agent in tree.of("Agent") for each in agent.content["domains"]
    }
    needed = {each for job in tree.of("Job") for each in _needed(tree, job)}
    for forest in tree.of("Forest"):
        for index, domain in enumerate(forest.content["domains"]):
            name, path = domain["name"].lower(), ("domains", index, "name")
            if name not in read and ("Agent", "domain") not in vain:
                message = (
                    f'No agent reads the domain "{name}"; '
                    "add it to the `domains` of an Agent."
                )
                yield Complaint("domain-without-agent", message, forest, path)
            if name not in needed and not may_need:
                message = (
                    f'No job is for the domain "{name}"; add a Job, or remove it here.'
                )
                yield Complaint(
                    "domain-without-job", message, forest, path, Severity.WARNING
                )


def _needed(tree: Tree, job: Document) -> Iterator[str]:
    """Yield the job's domain, and those that the groups of its scope may lead into."""
    home, name = job.content["domain"].lower(), job.content["scope"]
    yield home
    scope = next((each.content for each in tree.of("Scope") if each.name == name), {})
    yield from filter(None, map(domain_of, scope.get("groups", [])))
    for agent in tree.of("Agent") if scope.get("nestedGroups") else ():
        domains = {each.lower() for each in agent.content["domains"]}
        if home in domains:
            yield from domains


def jobs_map_each_type_once(tree: Tree) -> Iterator[Complaint]:
    for job in tree.of("Job"):
        seen: dict[str, str] = {}
        for index, name in enumerate(job.content["mappings"]):
            document = tree.mapping(name)
            content = tree.merged(document) if document else None
            source = (content or {}).get("sourceObjectName")
            if source in seen:
                message = (
                    f'The mappings "{seen[source]}" and "{name}" are both for {source} '
                    "objects; a job takes one for each type."
                )
                yield Complaint(
                    "overlapping-mappings", message, job, ("mappings", index)
                )
            elif source is not None:
                seen[source] = name


def mappings_match(tree: Tree) -> Iterator[Complaint]:
    """Every mapping can find a resource that exists already, and adopt it."""
    for each in tree.of("Mapping"):
        content = tree.merged(each)
        if content is None:
            continue
        entries = content["attributeMappings"].values()
        if not any(entry.get("matchingPriority", 0) for entry in entries):
            message = (
                f'The mapping "{each.name}" has no matching attribute, so it would '
                "duplicate what exists; write `matchingPriority: 1` at one of them."
            )
            yield Complaint("no-matching-attribute", message, each, ("name",))


def nothing_is_unused(tree: Tree) -> Iterator[Complaint]:
    if not tree.whole:
        return
    jobs, vain = tree.of("Job"), {kind for _, kind in unresolved(tree)}
    scopes = {job.content["scope"] for job in jobs}
    mappings = {name for job in jobs for name in job.content["mappings"]}
    parents = {each.content.get("extends") for each in tree.of("Mapping")}
    for id_, kind, used in (
        ("unused-scope", "Scope", scopes),
        ("unused-mapping", "Mapping", mappings | parents),
    ):
        for each in tree.of(kind) if kind not in vain else ():
            if each.name not in used:
                message = (
                    f'No job uses the {kind.lower()} "{each.name}"; '
                    "name it in a Job, or remove it."
                )
                yield Complaint(id_, message, each, ("name",), Severity.WARNING)
