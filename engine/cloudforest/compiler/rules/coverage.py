"""Check that what is declared is used, and that what is used is complete."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from cloudforest.compiler.document import Mistakes
from cloudforest.compiler.rules.names import find_unresolved_kinds
from cloudforest.compiler.tree import DocumentTree
from cloudforest.program.scoping.dn import find_domain_name


def _find_needed_domains(tree: DocumentTree, agents: list[set[str]]) -> Iterator[str]:
    """Yield the domain of each job, and those where members of its groups may be."""
    scopes = {each.name: each.content for each in tree.documents_of("Scope")}
    for job in tree.documents_of("Job"):
        home, scope = (
            job.content["domain"].lower(),
            scopes.get(job.content["scope"], {}),
        )
        yield home
        yield from filter(None, map(find_domain_name, scope.get("groups", [])))
        for domains in agents if scope.get("nestedGroups") else ():
            yield from domains if home in domains else ()


def check_domain_coverage(tree: DocumentTree) -> Mistakes:
    """Report domains that no agent reads or no job uses.

    Report none while a job or agent names an unknown domain: it may mean this one.
    """
    if not tree.is_well_formed:
        return
    unresolved = find_unresolved_kinds(tree)
    may_need = {("Job", "domain"), ("Job", "Scope")} & unresolved
    agents = [
        {each.lower() for each in agent.content["domains"]}
        for agent in tree.documents_of("Agent")
    ]
    read, needed = set(chain(*agents)), set(_find_needed_domains(tree, agents))
    for forest in tree.documents_of("Forest"):
        for index, domain in enumerate(forest.content["domains"]):
            name, path = domain["name"].lower(), ("domains", index, "name")
            if name not in read and ("Agent", "domain") not in unresolved:
                message = (
                    f'No agent reads the domain "{name}". Add it to the `domains` of '
                    "an Agent."
                )
                yield forest.error("domain-without-agent", message, *path)
            if name not in needed and not may_need:
                message = (
                    f'No job uses the domain "{name}". Add a Job, or remove the domain.'
                )
                yield forest.warning("domain-without-job", message, *path)


def check_types_mapped_once(tree: DocumentTree) -> Mistakes:
    for job in tree.documents_of("Job"):
        seen: dict[str, str] = {}
        for index, name, content in tree.list_job_mappings(job):
            source = content.get("sourceObjectName")
            if source in seen:
                message = (
                    f'The mappings "{seen[source]}" and "{name}" are both for {source} '
                    "objects. A job takes one mapping per object type: remove one, or "
                    "make two jobs."
                )
                yield job.error("overlapping-mappings", message, "mappings", index)
            elif source is not None:
                seen[source] = name


def check_matching_attributes(tree: DocumentTree) -> Mistakes:
    """Report mappings that cannot match, and so adopt, existing resources."""
    for each in tree.documents_of("Mapping"):
        content = tree.merge_inherited(each)
        if content is None:
            continue
        entries = content["attributeMappings"].values()
        if not any(entry.get("matchingPriority", 0) for entry in entries):
            message = (
                f'The mapping "{each.name}" has no matching attribute, so it would '
                "duplicate existing resources. Write `matchingPriority: 1` on an "
                "attribute that is unique in the target."
            )
            yield each.error("no-matching-attribute", message, "name")


def check_unused_documents(tree: DocumentTree) -> Mistakes:
    if not tree.is_well_formed:
        return
    jobs = tree.documents_of("Job")
    unresolved = {kind for _, kind in find_unresolved_kinds(tree)}
    scopes = {job.content["scope"] for job in jobs}
    mappings = {name for job in jobs for name in job.content["mappings"]}
    parents = {each.content.get("extends") for each in tree.documents_of("Mapping")}
    for id_, kind, used in (
        ("unused-scope", "Scope", scopes),
        ("unused-mapping", "Mapping", mappings | parents),
    ):
        for each in tree.documents_of(kind) if kind not in unresolved else ():
            if each.name not in used:
                message = (
                    f'No job uses the {kind.lower()} "{each.name}". Name it in a Job, '
                    "or remove it."
                )
                yield each.warning(id_, message, "name")
