"""Links: which resource of the target belongs to which object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import Link, Origin


class Links(Protocol):
    async def links(self, target: str, ids: Sequence[str]) -> dict[str, Link]: ...

    async def resource_ids(self, target: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the resource id of each object that is linked."""
        ...

    async def linked_resources(
        self, target: str, resources: Sequence[str]
    ) -> dict[str, str]:
        """Return the objectGUID that each of these resource ids is linked to."""
        ...

    async def save_found(
        self, target: str, found: Sequence[Link], gone: Sequence[str]
    ) -> None:
        """Count as written what the target was found to hold.

        The links of who is `gone` are forgotten with all that was written about them.
        All these objects, and those who refer to the gone, are evaluated again.
        """
        ...

    async def linked(
        self, target: str, job: str | None, type_: ObjectType | None
    ) -> dict[Origin, int]:
        """Return how many objects are linked, by origin: all of them, or of a job."""
        ...

    async def managed(self, job: str, target: str) -> int:
        """Return how many objects of the job are linked, and not yet deprovisioned."""
        ...
