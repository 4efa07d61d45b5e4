"""List all rules, and run them on a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from cloudforest.compiler.document import Document, Mistake, Mistakes
from cloudforest.compiler.rules import (
    connections,
    coverage,
    filters,
    flow,
    limits,
    names,
    overlap,
    scopes,
    syntax,
    targets,
)
from cloudforest.compiler.tree import DocumentTree, expand_short_forms

Rule = Callable[[DocumentTree], Iterable[Mistake]]

RULES_OF_PARTS: tuple[Rule, ...] = (
    names.check_unique_names,
    names.check_domains_in_one_forest,
    names.check_references,
    limits.check_intervals,
    limits.check_tls_verification,
    connections.check_urls,
    connections.check_credential_encryption,
    syntax.check_scope_syntax,
    syntax.check_mapping_syntax,
    syntax.check_example_objects,
    flow.check_plain_passwords,
    limits.check_default_values,
    targets.check_target_attributes,
    targets.check_target_overlap,
    targets.check_value_types,
    scopes.check_scope_domains,
    scopes.check_redundant_dns,
    filters.check_satisfiable_filters,
    filters.check_filter_mistakes,
    limits.check_extension_paths,
)
"""The rules that are right whatever is missing from a document."""

RULES: tuple[Rule, ...] = (
    *RULES_OF_PARTS,
    names.check_single_tenant,
    names.check_former_names,
    names.check_mapping_ancestry,
    names.check_job_targets,
    coverage.check_domain_coverage,
    coverage.check_types_mapped_once,
    coverage.check_matching_attributes,
    coverage.check_unused_documents,
    connections.check_mail_encryption,
    connections.check_notify_addresses,
    scopes.check_scope_reach,
    overlap.check_job_overlap,
    overlap.check_connect_sync_overlap,
    limits.check_extension_attributes,
    flow.check_flow_options,
    flow.check_unique_values,
    flow.check_default_domain,
)


def run_rules(tree: DocumentTree) -> Mistakes:
    """Yield what the rules find in the documents of the right shape."""
    for rule in RULES:
        yield from rule(tree)


def run_rules_on_parts(tree: DocumentTree, parts: list[Document]) -> Mistakes:
    """Yield what the rules find in the valid parts of documents with mistakes."""
    if not parts:
        return
    expanded = tuple(map(expand_short_forms, parts))
    whole = replace(tree, documents=(*tree.documents, *expanded))
    own_locations = {id(each.locations) for each in expanded}
    for rule in RULES_OF_PARTS:
        yield from (
            each for each in rule(whole) if id(each.document.locations) in own_locations
        )
