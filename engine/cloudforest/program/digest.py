"""What a cycle rests on, as one digest, and what it must read."""

from __future__ import annotations

from cloudforest.base.values import canonical_digest
from cloudforest.model.program import JobProgram, ObjectType, ScopeProgram
from cloudforest.program.attributes_read import COMPUTED_ATTRIBUTES
from cloudforest.program.scoping.dn import parse_dn

CONSISTENCY_GUID = "ms-ds-consistencyguid"

MEANING = 2
"""Of scopes. To be raised where one that is written as before lets in others: read as
a whole, they are before the guard at once, and not one by one as they change."""


def select_attributes_to_read(program: JobProgram) -> dict[ObjectType, tuple[str, ...]]:
    """Return per object type what crosses the bus: sorted names in lower case.

    What only the scope predicate needs is read by the agent and not sent.
    """
    wanted: dict[ObjectType, set[str]] = {}
    for mapping in program.mappings:
        wanted.setdefault(mapping.source, {CONSISTENCY_GUID}).update(mapping.reads)
    return {
        kind: tuple(sorted(names - COMPUTED_ATTRIBUTES))
        for kind, names in wanted.items()
    }


def _canonical_dns(dns: tuple[str, ...]) -> list[tuple[str, ...]]:
    return sorted({parse_dn(each) for each in dns})


def _canonical_scope(scope: ScopeProgram) -> dict[str, object]:
    units = scope.organizational_units
    return {
        "types": sorted(scope.types),
        "organizationalUnits": None if units is None else _canonical_dns(units),
        "oneLevel": _canonical_dns(scope.one_level),
        "except": _canonical_dns(scope.excepted),
        "groups": _canonical_dns(scope.groups),
        "nestedGroups": scope.nested_groups,
        "filters": {kind: each.tree for kind, each in scope.filters.items()},
        "version": scope.version,
    }


def digest_program(program: JobProgram) -> str:
    """Return what must stay the same for the next cycle to be incremental.

    The order of names and DNs, their case, and the spelling of a filter don't count.
    """
    return canonical_digest(
        {
            "scope": _canonical_scope(program.scope),
            "attributes": select_attributes_to_read(program),
            "meaning": MEANING,
        }
    )
