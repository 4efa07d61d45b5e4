"""One object under evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

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

    `prior` is what the outbox held for it; `matched` the resource it is to adopt, or
    is linked to and to be compared with.
    """

    row: SourceRow
    mapper: Mapper
    desired: Desired
    link: Link | None = None
    prior: Effect | None = None
    matched: TargetResource | None = None

    @cached_property
    def digest(self) -> str:
        """What the object should look like, by which rules, and as which resource."""
        resource = self.link.resource if self.link else None
        whole = (self.mapper.digest, resource, self.desired.values)
        return hashlib.sha256(msgspec.json.encode(whole)).hexdigest()

    def effect(self) -> Effect:
        """Return an effect that says nothing yet."""
        blank = blank_effect(self.row, self.mapper, self.link, self.prior)
        return msgspec.structs.replace(blank, desired=self.digest)


def blank_effect(
    row: SourceRow,
    mapper: Mapper,
    link: Link | None,
    prior: Effect | None,
) -> Effect:
    """Return an effect of an object that can't be mapped."""
    return Effect(
        key=row.id,
        id=row.id,
        type=row.type,
        resource_type=mapper.resource_type,
        action="update" if link else "create",
        phase=PHASE_WRITE,
        anchor=row.anchor,
        resource=link.resource if link else None,
        sent=prior is not None and prior.sent and link is None,
    )


def identifier(value: Any) -> str | None:
    """Return the id in a reference as a target shows it."""
    if isinstance(value, Mapping):
        value = value.get("value")
    return value if isinstance(value, str) and value else None
