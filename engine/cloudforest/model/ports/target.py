"""The target, and its refusals.

A refusal concerns one object: it is an outcome, not an error of the cycle.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from cloudforest.model.effects import Change
from cloudforest.model.source import FlatResource, MatchValue, TargetResource


class Target(Protocol):
    """A SCIM 2.0 service.

    Methods raise Conflict (409) or another Refusal for one object, and
    TargetUnavailable for the whole service (down, 401, 429 for too long).
    """

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        ...

    def list_resources(
        self, resource_type: str, paths: Sequence[str]
    ) -> AsyncIterator[TargetResource]:
        """Yield every resource, page by page, without members."""

    async def find(
        self, resource_type: str, path: str, value: MatchValue, paths: Sequence[str]
    ) -> tuple[TargetResource, ...]:
        """Return the resources whose `path` equals `value`."""

    async def find_taken_values(
        self, resource_type: str, path: str, values: Sequence[str]
    ) -> frozenset[str]:
        """Return which of the values a resource has at `path`."""

    async def list_member_ids(
        self, resource_type: str, resource: str
    ) -> frozenset[str]: ...

    async def create(self, resource_type: str, values: FlatResource) -> str:
        """Return the new resource's id.

        Raises TargetUnavailable only if nothing was created, as far as is known.
        """

    async def modify(
        self, resource_type: str, resource: str, changes: Sequence[Change]
    ) -> None: ...

    async def change_members(
        self,
        resource_type: str,
        resource: str,
        *,
        add: Sequence[str],
        remove: Sequence[str],
    ) -> None: ...

    async def delete(self, resource_type: str, resource: str) -> None:
        """Delete a resource; raises ResourceNotFound if it does not exist."""

    async def close(self) -> None: ...


class Refusal(Exception):  # noqa: N818 - an outcome of one object
    """The target refused. `reason` is a sentence without the object's values."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Conflict(Refusal):
    """Another resource has a value that must be unique (409)."""


class ResourceNotFound(Refusal):
    """The resource does not exist (404)."""


class AlreadyLinked(Exception):  # noqa: N818 - an outcome of one object
    """The target's resource is already linked to another object."""
