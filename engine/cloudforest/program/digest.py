"""The attributes that a job reads, and the digest that keeps its cycles incremental."""

from __future__ import annotations

from cloudforest.base.values import canonical_digest
from cloudforest.model.program import JobProgram, ObjectType, ScopeProgram
from cloudforest.program.scoping.dn import parse_dn

COMPUTED_ATTRIBUTES = frozenset({"sourceanchor", "objectguid", "dn"})
"""Attributes that every object has, and that are never requested from a directory."""
CONSISTENCY_GUID = "ms-ds-consistencyguid"

MEANING = 2
"""Version of what scopes mean. Raise it when an unchanged scope selects other objects.

The next cycle is then initial, so the guard sees all the differences together, instead
of one by one as objects change."""


def select_attributes_to_read(program: JobProgram) -> dict[ObjectType, tuple[str, ...]]:
    """Return the attributes that cross the bus, per type: sorted, in lower case.

    The agent also reads what only the scope needs, and does not send it.
    """
    found: dict[ObjectType, set[str]] = {}
    for each in program.mappings:
        found.setdefault(each.source, {CONSISTENCY_GUID}).update(each.reads)
    return {
        kind: tuple(sorted(names - COMPUTED_ATTRIBUTES))
        for kind, names in found.items()
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
    """Return the digest that must stay equal for the next cycle to be incremental.

    The order and case of names and DNs, and the spelling of a filter, do not count.
    """
    return canonical_digest(
        {
            "scope": _canonical_scope(program.scope),
            "attributes": select_attributes_to_read(program),
            "meaning": MEANING,
        }
    )
