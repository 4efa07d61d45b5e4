"""Find objects that two jobs write, or a job and Microsoft Entra Connect Sync.

The documents tell the population of a job as far as its scope and filters do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

from cloudforest.base.values import format_count
from cloudforest.compiler.document import Content, Document, Mistake, Mistakes
from cloudforest.compiler.resolve import DEFAULT_SCENARIO
from cloudforest.compiler.rules.filters import find_contradiction
from cloudforest.compiler.rules.syntax import Dns, check_dns
from cloudforest.compiler.tree import DocumentTree
from cloudforest.model.program import And, Filter
from cloudforest.program.expressions.syntax import parse_expression_or_none
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import find_domain_name, is_in_subtree, parse_dn
from cloudforest.program.scoping.filter_syntax import parse_filter

Dn = tuple[str, ...]
PopulationKey = tuple[str, str, str, str]
"""Domain, target, object type and resource type."""


@dataclass(frozen=True, eq=False)
class JobPopulation:
    """The objects of one type that a job selects.

    `units` are subtrees; the empty DN is the whole domain. `is_partial`: some objects
    in the subtrees are not selected.
    """

    job: Document
    mapping: Content
    units: tuple[Dn, ...]
    is_partial: bool
    groups: frozenset[Dn]
    includes_nested_groups: bool
    filter: Filter | None

    def covers(self, other: JobPopulation) -> bool:
        """Tell whether this job has all of the other's objects in shared subtrees."""
        deep_enough = self.includes_nested_groups or not other.includes_nested_groups
        grouped = not self.groups or (
            other.groups and self.groups >= other.groups and deep_enough
        )
        filtered = self.filter in {None, other.filter}
        return bool(grouped) and filtered and not self.is_partial

    def excludes(self, other: JobPopulation) -> bool:
        if self.filter is None or other.filter is None:
            return False
        return find_contradiction(And(operands=(self.filter, other.filter))) is not None


def _make_population(
    job: Document, mapping: Content, scope: Content, kind: str
) -> JobPopulation | None:
    """Return None where a DN or filter is wrong; other rules report it."""
    written = scope["organizationalUnits"]
    listed = [""] if written == "all" else written
    one_level = [each["oneLevel"] for each in listed if isinstance(each, dict)]
    subtrees = [each for each in listed if isinstance(each, str)]
    text = scope.get("filters", {}).get(kind)
    try:
        return JobPopulation(
            job=job,
            mapping=mapping,
            units=tuple(map(parse_dn, (*subtrees, *one_level))),
            is_partial=bool("except" in scope or one_level),
            groups=frozenset(map(parse_dn, scope.get("groups", []))),
            includes_nested_groups=scope.get("nestedGroups", False),
            filter=parse_filter(text) if text is not None else None,
        )
    except SyntaxFault:
        return None


def _list_enabled_jobs(tree: DocumentTree) -> Iterator[tuple[Document, Content]]:
    """Yield each enabled job with a known scope."""
    scopes = {each.name: each.content for each in tree.documents_of("Scope")}
    for job in tree.documents_of("Job"):
        scope = scopes.get(job.content["scope"])
        if scope is not None and job.content.get("enabled") is not False:
            yield job, scope


def find_populations(tree: DocumentTree) -> dict[PopulationKey, list[JobPopulation]]:
    """Return the populations of the enabled jobs."""
    found: dict[PopulationKey, list[JobPopulation]] = {}
    for job, scope in _list_enabled_jobs(tree):
        if (target := tree.find_target_name(job)) is None:
            continue
        for _, _, mapping in tree.list_job_mappings(job):
            if not {"sourceObjectName", "targetObjectName"} <= mapping.keys():
                continue
            kind = mapping["sourceObjectName"]
            domain = job.content["domain"].lower()
            place = (domain, target, kind, mapping["targetObjectName"])
            each = _make_population(job, mapping, scope, kind)
            if each is not None:
                found.setdefault(place, []).append(each)
    return found


def find_overlapping_pairs(
    populations: list[JobPopulation],
) -> Iterator[tuple[JobPopulation, JobPopulation]]:
    """Yield each pair that shares a subtree once, the earlier job first."""
    at: dict[Dn, list[int]] = {}
    for index, each in enumerate(populations):
        for unit in each.units:
            at.setdefault(unit, []).append(index)
    found = {
        (min(index, other), max(index, other))
        for index, each in enumerate(populations)
        for unit in each.units
        for start in range(len(unit) + 1)
        for other in at.get(unit[start:], ())
        if other != index
    }
    for one, other in sorted(found):
        yield populations[one], populations[other]


def _list_dns(written: Content) -> Dns:
    for key in ("organizationalUnits", "groups"):
        for index, dn in enumerate(written.get(key, ())):
            yield ("connectSync", key, index), dn


def _find_whole_domains(tree: DocumentTree, written: Content) -> set[str]:
    """Return the domains that the other tool syncs as a whole."""
    partial = set(map(find_domain_name, written.get("organizationalUnits", ())))
    forests = [
        {domain["name"].lower() for domain in each.content["domains"]}
        for each in tree.documents_of("Forest")
        if each.name in written.get("forests", ())
    ]
    return set(chain(*(each for each in forests if partial.isdisjoint(each))))


def _is_shared_subtree(domain: str, scope: Content, unit_dn: str) -> bool:
    """Tell whether a scope surely selects objects in a subtree of the other tool."""
    unit, listed = parse_dn(unit_dn), scope["organizationalUnits"]
    if any(is_in_subtree(unit, parse_dn(each)) for each in scope.get("except", ())):
        return False
    if listed == "all":
        return find_domain_name(unit_dn) == domain
    return any(
        is_in_subtree(parse_dn(each["oneLevel"]), unit)
        if isinstance(each, dict)
        else is_in_subtree(ours := parse_dn(each), unit) or is_in_subtree(unit, ours)
        for each in listed
    )


def _describe_shared(domain: str, scope: Content, written: Content) -> str | None:
    """Return what both tools surely sync of a domain, in words."""
    groups = set(map(parse_dn, scope.get("groups", ())))
    for theirs in written.get("groups", ()):
        if parse_dn(theirs) in groups:
            return f'the members of "{theirs}"'
    for theirs in () if groups else written.get("organizationalUnits", ()):
        if _is_shared_subtree(domain, scope, theirs):
            return f'the objects in "{theirs}"'
    return None


def _find_overlapping_jobs(tree: DocumentTree, written: Content) -> Mistakes:
    whole = _find_whole_domains(tree, written)
    for job, scope in _list_enabled_jobs(tree):
        domain = job.content["domain"].lower()
        shared: str | None = f"the objects of {domain}"
        if domain not in whole:
            try:
                shared = _describe_shared(domain, scope, written)
            except SyntaxFault:
                continue  # `dn-syntax` reports it
        if shared is not None:
            message = (
                f'The job "{job.name}" and Connect Sync both sync {shared}, so each '
                "undoes what the other writes. Remove these objects from Connect Sync "
                "and from `connectSync`, or narrow the scope."
            )
            yield job.warning("connect-sync-overlap", message, "scope")


def check_connect_sync_overlap(tree: DocumentTree) -> Mistakes:
    """Report a wrong `connectSync`, and jobs that surely overlap with it.

    Jobs whose groups or filters may exclude the objects of the other tool are not
    reported.
    """
    for tenant in tree.documents_of("Tenant"):
        if (written := tenant.content.get("connectSync")) is None:
            continue
        if tenant.content.get("scenario", DEFAULT_SCENARIO) == DEFAULT_SCENARIO:
            message = (
                f"The scenario {DEFAULT_SCENARIO} has no other tool, but `connectSync` "
                "lists what another tool syncs. Write `scenario: "
                "existing-hybrid-pilot` or `scenario: existing-hybrid-new-forest`, or "
                "remove `connectSync`."
            )
            yield tenant.error("connect-sync-scenario", message, "connectSync")
        faults = list(check_dns(tenant, _list_dns(written)))
        yield from faults or _find_overlapping_jobs(tree, written)


def _normalize_entry(entry: Content) -> Any:
    """Return what an entry writes, whatever the spacing of its expression."""
    default = entry.get("defaultValue")
    if "source" not in entry:
        return entry.get("template"), entry.get("constant"), default
    return parse_expression_or_none(entry["source"]) or entry["source"], default


def _find_conflicting_targets(one: Content, other: Content) -> list[str]:
    """Return the target attributes that two mappings keep writing differently."""
    if one["name"] == other["name"]:
        return []
    entries, others = one["attributeMappings"], other["attributeMappings"]
    return [
        path
        for path in sorted(entries.keys() & others.keys())
        if {each[path].get("flowType", "Always") for each in (entries, others)}
        == {"Always"}
        and _normalize_entry(entries[path]) != _normalize_entry(others[path])
    ]


def _check_pair(
    key: PopulationKey, one: JobPopulation, other: JobPopulation
) -> tuple[int, Mistake] | None:
    """Return the diagnostic of a pair and its rank; 0 is the worst."""
    if one.excludes(other):
        return None
    domain, target, kind, _ = key
    sure = one.covers(other) or other.covers(one)
    differing = _find_conflicting_targets(one.mapping, other.mapping)
    if differing:
        count = len(differing) - 1
        rest = f" and {format_count(count, 'other attribute')}" if count else ""
        message = (
            f'This job and the job "{one.job.name}" map "{differing[0]}"{rest} '
            f"differently{'' if sure else ', perhaps'} for the same {kind} objects of "
            f'{domain} in "{target}". Each would undo the other in every cycle: map '
            f'alike in "{other.mapping["name"]}", or separate the scopes.'
        )
        report = other.job.error if sure else other.job.warning
        return int(not sure), report("conflicting-jobs", message, "scope")
    if not sure:
        return None
    message = (
        f'The job "{one.job.name}" already writes the same {kind} objects of {domain} '
        f'to "{target}". Separate the scopes, or remove one of the two jobs.'
    )
    return 2, other.job.warning("overlapping-jobs", message, "scope")


def check_job_overlap(tree: DocumentTree) -> Mistakes:
    """Report each job that overlaps with others once, with its worst overlap."""
    for place, several in find_populations(tree).items():
        worst: dict[str, tuple[int, Mistake]] = {}
        for one, other in find_overlapping_pairs(several):
            found = _check_pair(place, one, other)
            if found is not None:
                name = other.job.name
                worst[name] = min(worst.get(name, found), found, key=itemgetter(0))
        yield from (diagnostic for _, diagnostic in worst.values())
