"""A target in memory: the port's rules and nothing else. Also what tests run on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from cloudforest.model.effects import Change
from cloudforest.model.ports.target import Conflict, NotThere
from cloudforest.model.source import Flat, MatchValue, TargetResource
from cloudforest.program.mapping.desired import comparable

UNIQUE = {"User": "userName", "Group": "displayName"}


@dataclass
class Resource:
    """One resource; `members` are the ids of other resources."""

    resource_type: str
    values: Flat
    members: set[str] = field(default_factory=set)


def _reduced(id_: str, resource: Resource, paths: Sequence[str]) -> TargetResource:
    values = {path: v for path, v in resource.values.items() if path in paths}
    return TargetResource(id=id_, values=values)


class MemoryTarget:
    """`model.ports.Target`; `writes` are the requests that changed something."""

    def __init__(self) -> None:
        self.requests = 0
        self.writes: list[tuple[str, str]] = []
        self.held: dict[str, Resource] = {}
        self._next_id = 1

    async def resources(
        self, resource_type: str, paths: Sequence[str]
    ) -> AsyncIterator[TargetResource]:
        self.requests += 1
        for id_, resource in list(self.held.items()):
            if resource.resource_type == resource_type:
                yield _reduced(id_, resource, paths)

    async def find(
        self, resource_type: str, path: str, value: MatchValue, paths: Sequence[str]
    ) -> tuple[TargetResource, ...]:
        self.requests += 1
        return tuple(
            _reduced(id_, resource, paths)
            for id_, resource in self.held.items()
            if resource.resource_type == resource_type
            and comparable(path, {"id": id_, **resource.values}.get(path, ""))
            == comparable(path, value)
        )

    async def taken(
        self, resource_type: str, path: str, values: Sequence[str]
    ) -> frozenset[str]:
        self.requests += 1
        held = {
            comparable(path, resource.values.get(path, ""))
            for resource in self.held.values()
            if resource.resource_type == resource_type
        }
        return frozenset(each for each in values if comparable(path, each) in held)

    async def member_ids(self, resource_type: str, resource: str) -> frozenset[str]:
        self.requests += 1
        return frozenset(self._find(resource_type, resource).members)

    async def create(self, resource_type: str, values: Flat) -> str:
        self.requests += 1
        self._require_unique(resource_type, values, but=None)
        id_ = f"r{self._next_id}"
        self._next_id += 1
        self.held[id_] = Resource(resource_type, dict(values))
        self.writes.append(("create", id_))
        return id_

    async def modify(
        self, resource_type: str, resource: str, changes: Sequence[Change]
    ) -> None:
        self.requests += 1
        held = self._find(resource_type, resource)
        after = {each.path: each.after for each in changes if each.is_sent}
        self._require_unique(resource_type, after, but=resource)
        values = held.values | after
        held.values = {path: v for path, v in values.items() if v is not None}
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
        held = self._find(resource_type, resource)
        held.members = (held.members | set(add)) - set(remove)
        self.writes.append(("members", resource))

    async def delete(self, resource_type: str, resource: str) -> None:
        """Delete, and leave the members of groups alone, as some services do."""
        self.requests += 1
        self._find(resource_type, resource)
        del self.held[resource]
        self.writes.append(("delete", resource))

    async def close(self) -> None:
        pass

    def _find(self, resource_type: str, resource: str) -> Resource:
        held = self.held.get(resource)
        if held is None or held.resource_type != resource_type:
            raise NotThere(404, f"The target has no {resource_type} of that id.")
        return held

    def _require_unique(
        self, resource_type: str, values: Flat, *, but: str | None
    ) -> None:
        path = UNIQUE.get(resource_type, "userName")
        wanted = str(values.get(path) or "").lower()
        for id_, held in self.held.items() if wanted else ():
            same = str(held.values.get(path, "")).lower() == wanted
            if id_ != but and held.resource_type == resource_type and same:
                raise Conflict(409, f"Another {resource_type} has this {path}.")
