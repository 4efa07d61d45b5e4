"""Pictures of a target, in which matching looks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.provisioning import MatchValue, TargetResource


class Pictures(Protocol):
    async def save_snapshot(
        self,
        picture: str,
        resource_type: str,
        resources: Sequence[TargetResource],
        paths: Sequence[str],
    ) -> None:
        """Add to a picture of the target; it can be searched by these paths."""
        ...

    async def pictured(
        self, picture: str, resource_type: str, resources: Sequence[str]
    ) -> dict[str, TargetResource]:
        """Return those of the resources that the picture has, by their id."""
        ...

    async def clear_snapshot(self, picture: str) -> None: ...

    async def matches(
        self, picture: str, resource_type: str, path: str, values: Sequence[MatchValue]
    ) -> dict[str, tuple[TargetResource, ...]]:
        """Return the pictured resources by value of `path`, as `comparable` has it."""
        ...
