"""List all rules, and run them on a tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from cloudforest.compiler.document import Document, Mistake, Mistakes
from cloudforest.compiler.examples import check_example_objects
from cloudforest.compiler.rules.connections import (
    check_credential_encryption,
    check_mail_encryption,
    check_notify_addresses,
    check_urls,
)
from cloudforest.compiler.rules.coverage import (
    check_domain_coverage,
    check_matching_attributes,
    check_types_mapped_once,
    check_unused_documents,
)
from cloudforest.compiler.rules.filters import (
    check_filter_mistakes,
    check_satisfiable_filters,
)
from cloudforest.compiler.rules.flow import (
    check_default_domain,
    check_flow_options,
    check_plain_passwords,
    check_unique_values,
)
from cloudforest.compiler.rules.limits import (
    check_default_values,
    check_extension_attributes,
    check_extension_paths,
    check_intervals,
    check_tls_verification,
)
from cloudforest.compiler.rules.names import (
    check_domains_in_one_forest,
    check_former_names,
    check_job_targets,
    check_mapping_ancestry,
    check_references,
    check_single_tenant,
    check_unique_names,
)
from cloudforest.compiler.rules.overlap import (
    check_connect_sync_overlap,
    check_job_overlap,
)
from cloudforest.compiler.rules.scopes import (
    check_redundant_dns,
    check_scope_domains,
    check_scope_reach,
)
from cloudforest.compiler.rules.syntax import check_mapping_syntax, check_scope_syntax
from cloudforest.compiler.rules.targets import (
    check_target_attributes,
    check_target_overlap,
    check_value_types,
)
from cloudforest.compiler.tree import DocumentTree, expand_short_forms

Rule = Callable[[DocumentTree], Iterable[Mistake]]

RULES: tuple[Rule, ...] = (
    check_single_tenant,
    check_unique_names,
    check_former_names,
    check_domains_in_one_forest,
    check_mapping_ancestry,
    check_references,
    check_job_targets,
    check_domain_coverage,
    check_types_mapped_once,
    check_matching_attributes,
    check_unused_documents,
    check_intervals,
    check_tls_verification,
    check_urls,
    check_credential_encryption,
    check_mail_encryption,
    check_notify_addresses,
    check_scope_syntax,
    check_mapping_syntax,
    check_example_objects,
    check_default_values,
    check_target_attributes,
    check_target_overlap,
    check_value_types,
    check_scope_reach,
    check_scope_domains,
    check_redundant_dns,
    check_satisfiable_filters,
    check_filter_mistakes,
    check_job_overlap,
    check_connect_sync_overlap,
    check_extension_paths,
    check_extension_attributes,
    check_flow_options,
    check_plain_passwords,
    check_unique_values,
    check_default_domain,
)


RULES_OF_PARTS: tuple[Rule, ...] = (
    check_unique_names,
    check_domains_in_one_forest,
    check_references,
    check_intervals,
    check_tls_verification,
    check_urls,
    check_credential_encryption,
    check_scope_syntax,
    check_mapping_syntax,
    check_example_objects,
    check_plain_passwords,
    check_default_values,
    check_target_attributes,
    check_target_overlap,
    check_value_types,
    check_scope_domains,
    check_redundant_dns,
    check_satisfiable_filters,
    check_filter_mistakes,
    check_extension_paths,
)
"""The rules that are right whatever is missing from a document."""


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
