"""All rules, in one list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.examples import objects_can_be_read
from cloudforest.compiler.rules.connections import (
    credentials_are_private,
    mail_is_encrypted,
    somebody_is_told,
    urls_lead_to_hosts,
)
from cloudforest.compiler.rules.coverage import (
    domains_are_served,
    jobs_map_each_type_once,
    mappings_match,
    nothing_is_unused,
)
from cloudforest.compiler.rules.filters import (
    filters_can_be_true,
    filters_say_what_can_be,
)
from cloudforest.compiler.rules.flow import (
    default_domain_is_known,
    flows_fit,
    passwords_are_nowhere_written,
    unique_values_are_chosen_once,
)
from cloudforest.compiler.rules.limits import (
    defaults_fit,
    extensions_are_readable,
    intervals_are_long_enough,
    mappings_fit_extensions,
    tls_is_verified,
)
from cloudforest.compiler.rules.names import (
    domains_are_in_one_forest,
    former_names_are_free,
    jobs_have_a_target,
    mappings_are_their_own_ancestors_never,
    names_are_unique,
    references_resolve,
    there_is_one_tenant,
)
from cloudforest.compiler.rules.overlap import (
    jobs_do_not_meet,
    one_tool_syncs_an_object,
)
from cloudforest.compiler.rules.scopes import (
    places_are_named_once,
    scopes_are_in_domains,
    scopes_are_within_reach,
)
from cloudforest.compiler.rules.syntax import mappings_are_readable, scopes_are_readable
from cloudforest.compiler.rules.targets import (
    targets_are_known,
    targets_do_not_overlap,
    types_fit,
)
from cloudforest.compiler.tree import Tree, without_sugar

Rule = Callable[[Tree], Iterable[Complaint]]

RULES: tuple[Rule, ...] = (
    there_is_one_tenant,
    names_are_unique,
    former_names_are_free,
    domains_are_in_one_forest,
    mappings_are_their_own_ancestors_never,
    references_resolve,
    jobs_have_a_target,
    domains_are_served,
    jobs_map_each_type_once,
    mappings_match,
    nothing_is_unused,
    intervals_are_long_enough,
    tls_is_verified,
    urls_lead_to_hosts,
    credentials_are_private,
    mail_is_encrypted,
    somebody_is_told,
    scopes_are_readable,
    mappings_are_readable,
    objects_can_be_read,
    defaults_fit,
    targets_are_known,
    targets_do_not_overlap,
    types_fit,
    scopes_are_within_reach,
    scopes_are_in_domains,
    places_are_named_once,
    filters_can_be_true,
    filters_say_what_can_be,
    jobs_do_not_meet,
    one_tool_syncs_an_object,
    extensions_are_readable,
    mappings_fit_extensions,
    flows_fit,
    passwords_are_nowhere_written,
    unique_values_are_chosen_once,
    default_domain_is_known,
)


OF_PARTS: tuple[Rule, ...] = (
    names_are_unique,
    domains_are_in_one_forest,
    references_resolve,
    intervals_are_long_enough,
    tls_is_verified,
    urls_lead_to_hosts,
    credentials_are_private,
    scopes_are_readable,
    mappings_are_readable,
    objects_can_be_read,
    passwords_are_nowhere_written,
    defaults_fit,
    targets_are_known,
    targets_do_not_overlap,
    types_fit,
    scopes_are_in_domains,
    places_are_named_once,
    filters_can_be_true,
    filters_say_what_can_be,
    extensions_are_readable,
)
"""Those that hold of what is written, whatever else there may be."""


def broken_rules(tree: Tree) -> Iterator[Complaint]:
    """Yield what the rules have to say about the documents of the right shape."""
    for rule in RULES:
        yield from rule(tree)


def broken_in_parts(tree: Tree, parts: list[Document]) -> Iterator[Complaint]:
    """Yield what can be said of the sound parts of documents that have mistakes."""
    written = tuple(map(without_sugar, parts))
    both = replace(tree, documents=(*tree.documents, *written))
    places = {id(each.places) for each in written}
    for rule in OF_PARTS if parts else ():
        yield from (each for each in rule(both) if id(each.document.places) in places)
