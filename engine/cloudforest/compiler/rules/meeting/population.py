"""Which people of one type a job is for, as far as the documents say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cloudforest.compiler.document import Document
from cloudforest.compiler.rules.meaning.contradiction import contradiction
from cloudforest.compiler.tree import Tree
from cloudforest.model.program import And, Filter
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.program.scoping.scim_filter import parse_filter

Dn = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Population:
    """One type of a job. `units` are subtrees (the root's is the whole domain).

    `sparse`: not all that lies in them is meant.
    """

    job: Document
    mapping: dict[str, Any]
    units: tuple[Dn, ...]
    sparse: bool
    groups: frozenset[Dn]
    nested: bool
    filter: Filter | None

    def covers(self, other: Population) -> bool:
        """Tell whether all of the other in a shared subtree are surely here as well."""
        deep_enough = self.nested or not other.nested
        grouped = not self.groups or (
            other.groups and self.groups >= other.groups and deep_enough
        )
        filtered = self.filter in {None, other.filter}
        return bool(grouped) and filtered and not self.sparse

    def excludes(self, other: Population) -> bool:
        if self.filter is None or other.filter is None:
            return False
        return contradiction(And(operands=(self.filter, other.filter))) is not None


Place = tuple[str, str, str, str]
"""A domain, a target, a type of object, and a type of resource."""


def populations(tree: Tree) -> dict[Place, list[Population]]:
    """Return what the enabled jobs are for, by where they read and write it."""
    found: dict[Place, list[Population]] = {}
    scopes = {each.name: each for each in tree.of("Scope")}
    targets = [each.name for each in tree.of("Target")]
    only = targets[0] if len(targets) == 1 else None
    for job in tree.of("Job"):
        scope = scopes.get(job.content["scope"])
        if scope is None or job.content.get("enabled") is False:
            continue
        target = job.content.get("target", only)
        if target is None:
            continue
        for mapping in _mappings(tree, job):
            kind = mapping["sourceObjectName"]
            domain = job.content["domain"].lower()
            place = (domain, target, kind, mapping["targetObjectName"])
            each = _population(job, mapping, scope.content, kind)
            if each is not None:
                found.setdefault(place, []).append(each)
    return found


def _mappings(tree: Tree, job: Document) -> Iterator[dict[str, Any]]:
    for name in job.content["mappings"]:
        document = tree.mapping(name)
        content = tree.merged(document) if document else None
        if content and {"sourceObjectName", "targetObjectName"} <= content.keys():
            yield content


def _population(
    job: Document, mapping: dict[str, Any], scope: dict[str, Any], kind: str
) -> Population | None:
    """Return None for what can't be read: that is another rule's matter."""
    listed = scope["organizationalUnits"]
    units = [""] if listed == "all" else [_of_unit(each) for each in listed]
    text = scope.get("filters", {}).get(kind)
    try:
        return Population(
            job=job,
            mapping=mapping,
            units=tuple(_dns(units)),
            sparse="except" in scope or any(isinstance(each, dict) for each in listed),
            groups=frozenset(_dns(scope.get("groups", []))),
            nested=scope.get("nestedGroups", False),
            filter=parse_filter(text) if text is not None else None,
        )
    except SyntaxFault:
        return None


def _of_unit(unit: str | dict[str, str]) -> str:
    return unit["oneLevel"] if isinstance(unit, dict) else unit


def _dns(texts: Iterable[str]) -> Iterator[Dn]:
    return map(parse_dn, texts)


def pairs(several: list[Population]) -> Iterator[tuple[Population, Population]]:
    """Yield those that share a subtree, the earlier first, each pair once."""
    at: dict[Dn, list[int]] = {}
    for index, each in enumerate(several):
        for unit in each.units:
            at.setdefault(unit, []).append(index)
    found = {
        (min(index, other), max(index, other))
        for index, each in enumerate(several)
        for unit in each.units
        for start in range(len(unit) + 1)
        for other in at.get(unit[start:], ())
        if other != index
    }
    for one, other in sorted(found):
        yield several[one], several[other]
