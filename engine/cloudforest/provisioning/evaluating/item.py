"""One object under evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudforest.model.provisioning import (
    PHASE_WRITE,
    Effect,
    Link,
    SourceRow,
    TargetResource,
)
from cloudforest.program.attribute import Desired
from cloudforest.provisioning.mapper import Mapper


@dataclass(frozen=True)
class Item:
    """One object, with all that is known of it.

    `prior` is what the outbox held for it; `matched` the resource it is to adopt.
    """

    row: SourceRow
    mapper: Mapper
    desired: Desired
    link: Link | None = None
    prior: Effect | None = None
    matched: TargetResource | None = None


def blank_effect(row: SourceRow, mapper: Mapper, link: Link | None) -> Effect:
    """Return an effect of this object that says nothing yet."""
    return Effect(
        key=row.id,
        id=row.id,
        type=row.type,
        resource_type=mapper.resource_type,
        action="update" if link else "create",
        phase=PHASE_WRITE,
        anchor=row.anchor,
        resource=link.resource if link else None,
    )


def identifier(value: Any) -> str | None:
    """Return the id in a reference as a target shows it."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return value if isinstance(value, str) and value else None
