"""What drifted: one entry for each object and kind of difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from msgspec.structs import replace

from cloudforest.model.provisioning import Link, SourceRow
from cloudforest.model.value import Value

Kind = Literal["missing", "attributes", "members"]
Cause = Literal["changed outside", "never arrived"]
"""The target holds another value than we wrote; or none, though it took the write."""


class Differing(Value, frozen=True):
    """One attribute of one resource, three ways; None is absence.

    References are resource ids. Of members only those are named that differ, by
    objectGUID.
    """

    path: str
    desired: Any
    written: Any
    actual: Any
    cause: Cause


class Drift(Value, frozen=True):
    """`object` is an objectGUID, `name` its DN; None: who asks sees no names."""

    object: str
    name: str | None
    resource: str
    kind: Kind
    attributes: tuple[Differing, ...] = ()

    @staticmethod
    def of(
        row: SourceRow, link: Link, kind: Kind, attributes: tuple[Differing, ...] = ()
    ) -> Drift:
        return Drift(
            object=row.id,
            name=row.dn,
            resource=link.resource,
            kind=kind,
            attributes=attributes,
        )


@dataclass(frozen=True)
class Drifted:
    """A drift, and what a repair goes by.

    `link` is that of drifted attributes, as if we had written what the target holds;
    `present` are the members of a group, by resource id.
    """

    drift: Drift
    link: Link | None = None
    present: frozenset[str] = frozenset()


def withheld(drift: Drift) -> Drift:
    """Return what a pipeline is told: ids, paths and causes, no names and values."""
    bare = tuple(
        replace(each, desired=None, written=None, actual=None)
        for each in drift.attributes
    )
    return replace(drift, name=None, attributes=bare)
