"""A target in memory that follows the rules of the port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from cloudforest.model.effects import Change
from cloudforest.model.ports.target import Conflict, ResourceNotFound
from cloudforest.model.source import FlatResource, MatchValue, TargetResource
from cloudforest.program.mapping.desired import make_match_key

UNIQUE_PATHS = {"User": "userName", "Group": "displayName"}


@dataclass
class MemoryResource:
    """One resource; `members` are the ids of other resources."""

    resource_type: str
    values: FlatResource
    members: set[str] = field(default_factory=set)


def _select_paths(
    id_: str, resource: MemoryResource, paths: Sequence[str]
) -> TargetResource:
    values = {path: v for path, v in resource.values.items() if path in paths}
    return TargetResource(id=id_, values=values)


class MemoryTarget:
    """See `model.ports.target.Target`; `writes` lists the requests that changed it."""

    def __init__(self) -> None:
        self.requests = 0
        self.writes: list[tuple[str, str]] = []
        self.resources_by_id: dict[str, MemoryResource] = {}
        self._next_id = 1

    async def list_resources(
        self, resource_type: str, paths: Sequence[str]
    ) -> AsyncIterator[TargetResource]:
        self.requests += 1
        for id_, resource in list(self.resources_by_id.items()):
            if resource.resource_type == resource_type:
                yield _select_paths(id_, resource, paths)

    async def find(
        self, resource_type: str, path: str, value: MatchValue, paths: Sequence[str]
    ) -> tuple[TargetResource, ...]:
        self.requests += 1
        return tuple(
            _select_paths(id_, resource, paths)
            for id_, resource in self.resources_by_id.items()
            if resource.resource_type == resource_type
            and make_match_key(path, {"id": id_, **resource.values}.get(path, ""))
            == make_match_key(path, value)
        )

    async def find_taken_values(
        self, resource_type: str, path: str, values: Sequence[str]
    ) -> frozenset[str]:
        self.requests += 1
        taken = {
            make_match_key(path, resource.values.get(path, ""))
            for resource in self.resources_by_id.values()
            if resource.resource_type == resource_type
        }
        return frozenset(each for each in values if make_match_key(path, each) in taken)

    async def list_member_ids(
        self, resource_type: str, resource: str
    ) -> frozenset[str]:
        self.requests += 1
        return frozenset(self._require_resource(resource_type, resource).members)

    async def create(self, resource_type: str, values: FlatResource) -> str:
        self.requests += 1
        self._require_unique(resource_type, values, except_id=None)
        id_ = f"r{self._next_id}"
        self._next_id += 1
        self.resources_by_id[id_] = MemoryResource(resource_type, dict(values))
        self.writes.append(("create", id_))
        return id_

    async def modify(
        self, resource_type: str, resource: str, changes: Sequence[Change]
    ) -> None:
        self.requests += 1
        stored = self._require_resource(resource_type, resource)
        after = {each.path: each.after for each in changes if each.is_sent}
        self._require_unique(resource_type, after, except_id=resource)
        values = stored.values | after
        stored.values = {path: v for path, v in values.items() if v is not None}
        self.writes.append(("modify", resource))

    async def change_members(
        self,
        resource_type: str,
        resource: str,
        *,
        add: Sequence[str],
        remove: Sequence[str],
    ) -> None:
        self.requests += 1
        group = self._require_resource(resource_type, resource)
        group.members = (group.members | set(add)) - set(remove)
        self.writes.append(("members", resource))

    async def delete(self, resource_type: str, resource: str) -> None:
        """Delete it, but not from the members of groups, as some services do."""
        self.requests += 1
        self._require_resource(resource_type, resource)
        del self.resources_by_id[resource]
        self.writes.append(("delete", resource))

    async def close(self) -> None:
        pass

    def _require_resource(self, resource_type: str, resource: str) -> MemoryResource:
        stored = self.resources_by_id.get(resource)
        if stored is None or stored.resource_type != resource_type:
            raise ResourceNotFound(
                404, f"The target does not have a {resource_type} with that id."
            )
        return stored

    def _require_unique(
        self, resource_type: str, values: FlatResource, *, except_id: str | None
    ) -> None:
        path = UNIQUE_PATHS.get(resource_type, "userName")
        value = str(values.get(path) or "").lower()
        for id_, other in self.resources_by_id.items() if value else ():
            same = str(other.values.get(path, "")).lower() == value
            if id_ != except_id and other.resource_type == resource_type and same:
                raise Conflict(409, f"Another {resource_type} has this {path}.")
