"""What was read of a schema, as YAML for people to review."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cloudforest.base.values import yaml_block, yaml_flow, yaml_key
from cloudforest.graph.import_rules import ImportedMapping, ImportedRule, find_domain
from cloudforest.graph.schema import Rule, Schema

PLACEHOLDER_DOMAIN = "contoso.com"


@dataclass(frozen=True)
class ImportOrigin:
    """`file` is the schema's, which is kept beside the documents.

    `domain` and `target` are for the jobs; None: as the schema's names say, and none.
    """

    file: str
    domain: str | None = None
    target: str | None = None


def write_documents(
    schema: Schema, rules: Iterable[ImportedRule], origin: ImportOrigin
) -> str:
    """Return the documents; what can't be one is a comment, and stays in the file."""
    written = schema.synchronization_rules or ()
    texts = [_write_rule(written[each.position], each, origin) for each in rules]
    head = _write_comments(
        f"Imported from {origin.file}, a synchronizationSchema of Microsoft Graph.",
        "Keep that file beside this one: `cloudforest export-schema JOB` puts what is",
        "written here into it, and leaves all else in it as it is. Graph compares",
        "texts with case, and filters here, as Active Directory does, without.",
    )
    return "\n".join([*head, *(line for each in texts for line in each)]) + "\n"


def _write_comments(*sentences: str, indent: str = "") -> list[str]:
    """Return comment lines; whatever a schema holds, it ends no line."""
    return [
        f"{indent}# {''.join(c if c.isprintable() else '?' for c in each)}"
        for each in sentences
    ]


def _write_rule(
    graph_rule: Rule, rule: ImportedRule, origin: ImportOrigin
) -> Iterator[str]:
    title = f"Rule {graph_rule.name or graph_rule.id or rule.position + 1}"
    between = (
        f"{graph_rule.source_directory_name} to {graph_rule.target_directory_name}"
    )
    yield "---" if rule.mappings else ""
    yield from _write_comments(f"{title}, from {between}")
    yield from _write_comments(*(f"No equivalent: {each}" for each in rule.notes))
    if not rule.mappings:
        return
    yield from _write_scope(rule)
    for each in rule.mappings:
        yield "---"
        yield from _write_mapping(each)
    yield "---"
    yield from _write_job(rule, origin.domain or find_domain(graph_rule), origin.target)


def _write_scope(rule: ImportedRule) -> Iterator[str]:
    filters = {each.kind: each.filter for each in rule.mappings if each.filter}
    yield from yaml_block({"kind": "Scope", "name": rule.job, **rule.scope})
    for each in rule.mappings:
        if each.missing_filter_reasons:
            yield f"# THE SCOPE IS WIDER THAN IN GRAPH for {each.kind} objects:"
            yield from _write_comments(
                *(f"- {reason}" for reason in each.missing_filter_reasons)
            )
    if filters:
        yield from yaml_block({"filters": filters})


def _write_mapping(mapping: ImportedMapping) -> Iterator[str]:
    head = {"kind": "Mapping", "name": mapping.name}
    types = {"sourceObjectName": mapping.kind, "targetObjectName": mapping.target}
    yield from yaml_block(head | types)
    yield "attributeMappings:"
    for path, (_, entry) in mapping.entries.items():
        yield f"  {yaml_key(path)}: {yaml_flow(entry)}"
    notes = (f"No equivalent: {each}" for each in mapping.notes)
    yield from _write_comments(*notes, indent="  ")
    if mapping.keeps_leavers:
        yield "# The object mapping has no flow type Delete."
        yield "deprovision: {outOfScope: keep, deleted: keep}"


def _write_job(
    rule: ImportedRule, domain: str | None, target: str | None
) -> Iterator[str]:
    if domain is None:
        yield "# The schema does not say which domain is read; write it here."
    named = {"target": target} if target else {}
    yield from yaml_block(
        {
            "kind": "Job",
            "name": rule.job,
            "domain": domain or PLACEHOLDER_DOMAIN,
            **named,
            "scope": rule.job,
            "mappings": [each.name for each in rule.mappings],
        }
    )
    yield "# `cloudforest plan` says whom it would adopt and create; then write true."
    yield "enabled: false"
