"""What was read of a schema, as YAML for people to review."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cloudforest.base.values import block, flow, key
from cloudforest.graph.import_rules import ReadMapping, ReadRule, domain
from cloudforest.graph.schema import Rule, Schema

PLACEHOLDER = "contoso.com"


@dataclass(frozen=True)
class Origin:
    """`file` is the schema's, which is kept beside the documents.

    `domain` and `target` are for the jobs; None: as the schema's names say, and none.
    """

    file: str
    domain: str | None = None
    target: str | None = None


def documents(schema: Schema, rules: Iterable[ReadRule], origin: Origin) -> str:
    """Return the documents; what can't be one is a comment, and stays in the file."""
    written = schema.synchronization_rules or ()
    texts = [_lines(written[each.position], each, origin) for each in rules]
    head = _comments(
        f"Imported from {origin.file}, a synchronizationSchema of Microsoft Graph.",
        "Keep that file beside this one: `cloudforest export-schema JOB` puts what is",
        "written here into it, and leaves all else in it as it is. Graph compares",
        "texts with case, and filters here, as Active Directory does, without.",
    )
    return "\n".join([*head, *(line for each in texts for line in each)]) + "\n"


def _comments(*sentences: str, indent: str = "") -> list[str]:
    """Return comment lines; whatever a schema holds, it ends no line."""
    return [
        f"{indent}# {''.join(c if c.isprintable() else '?' for c in each)}"
        for each in sentences
    ]


def _lines(written: Rule, rule: ReadRule, origin: Origin) -> Iterator[str]:
    title = f"Rule {written.name or written.id or rule.position + 1}"
    between = f"{written.source_directory_name} to {written.target_directory_name}"
    yield "---" if rule.mappings else ""
    yield from _comments(f"{title}, from {between}")
    yield from _comments(*(f"No equivalent: {each}" for each in rule.notes))
    if not rule.mappings:
        return
    yield from _scope(rule)
    for each in rule.mappings:
        yield "---"
        yield from _mapping(each)
    yield "---"
    yield from _job(rule, origin.domain or domain(written), origin.target)


def _scope(rule: ReadRule) -> Iterator[str]:
    filters = {each.kind: each.filter for each in rule.mappings if each.filter}
    yield from block({"kind": "Scope", "name": rule.job, **rule.scope})
    for each in rule.mappings:
        if each.wider:
            yield f"# THE SCOPE IS WIDER THAN IN GRAPH for {each.kind} objects:"
            yield from _comments(*(f"- {reason}" for reason in each.wider))
    if filters:
        yield from block({"filters": filters})


def _mapping(mapping: ReadMapping) -> Iterator[str]:
    head = {"kind": "Mapping", "name": mapping.name}
    types = {"sourceObjectName": mapping.kind, "targetObjectName": mapping.target}
    yield from block(head | types)
    yield "attributeMappings:"
    for path, (_, entry) in mapping.entries.items():
        yield f"  {key(path)}: {flow(entry)}"
    notes = (f"No equivalent: {each}" for each in mapping.notes)
    yield from _comments(*notes, indent="  ")
    if mapping.keeps:
        yield "# The object mapping has no flow type Delete."
        yield "deprovision: {outOfScope: keep, deleted: keep}"


def _job(rule: ReadRule, found: str | None, target: str | None) -> Iterator[str]:
    if found is None:
        yield "# The schema does not say which domain is read; write it here."
    named = {"target": target} if target else {}
    yield from block(
        {
            "kind": "Job",
            "name": rule.job,
            "domain": found or PLACEHOLDER,
            **named,
            "scope": rule.job,
            "mappings": [each.name for each in rule.mappings],
        }
    )
    yield "# `cloudforest plan` says whom it would adopt and create; then write true."
    yield "enabled: false"
