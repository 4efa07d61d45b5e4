"""Write imported rules as YAML documents for review."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from cloudforest.base.values import yaml_block, yaml_flow, yaml_key
from cloudforest.graph.import_rules import ImportedMapping, ImportedRule

PLACEHOLDER_DOMAIN = "contoso.com"


@dataclass(frozen=True)
class ImportOrigin:
    """`file` is the schema file, which is kept beside the documents.

    `domain` and `target` are for the jobs. Without a domain, it is taken from the
    distinguished names in the schema; without a target, jobs name none.
    """

    file: str
    domain: str | None = None
    target: str | None = None


def _write_comments(*sentences: str, indent: str = "") -> list[str]:
    """Return comment lines; a line break in a schema cannot end a comment."""
    return [
        f"{indent}# {''.join(c if c.isprintable() else '?' for c in each)}"
        for each in sentences
    ]


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


def _write_job(rule: ImportedRule, origin: ImportOrigin) -> Iterator[str]:
    domain = origin.domain or rule.domain
    if domain is None:
        yield "# The schema does not name the domain. Write it here."
    named = {"target": origin.target} if origin.target else {}
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
    yield "# Review with `cloudforest plan` who is adopted or created, then write true."
    yield "enabled: false"


def _write_rule(rule: ImportedRule, origin: ImportOrigin) -> Iterator[str]:
    yield "---" if rule.mappings else ""
    yield from _write_comments(rule.heading)
    yield from _write_comments(*(f"No equivalent: {each}" for each in rule.notes))
    if not rule.mappings:
        return
    yield from _write_scope(rule)
    for each in rule.mappings:
        yield "---"
        yield from _write_mapping(each)
    yield "---"
    yield from _write_job(rule, origin)


def write_documents(rules: Iterable[ImportedRule], origin: ImportOrigin) -> str:
    """Return the documents; parts without an equivalent become comments."""
    head = _write_comments(
        f"Imported from {origin.file}, a synchronizationSchema of Microsoft Graph.",
        "Keep that file beside this one: `cloudforest export-schema JOB` writes these",
        "documents into it and leaves the rest of it unchanged. Graph compares text",
        "case-sensitively. Filters here ignore case, as Active Directory does.",
    )
    lines = chain(head, *(_write_rule(each, origin) for each in rules))
    return "".join(f"{line}\n" for line in lines)
