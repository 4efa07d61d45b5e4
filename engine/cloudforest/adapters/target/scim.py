"""A SCIM 2.0 service as a target: the port, in SCIM's words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Any

from cloudforest.adapters.target.answers import (
    Request,
    Unanswered,
    judge,
    judge_service,
)
from cloudforest.adapters.target.connection import Connection
from cloudforest.adapters.target.credential import Credential
from cloudforest.adapters.target.lists import equality, has_value
from cloudforest.adapters.target.members import member_patches
from cloudforest.adapters.target.pace import Monotonic
from cloudforest.adapters.target.service import Service
from cloudforest.model.outcomes import Refusal
from cloudforest.model.ports import Sleep
from cloudforest.model.provisioning import Change, Flat, TargetResource
from cloudforest.model.registration import Target
from cloudforest.program.resource import assemble, extract, patch_operations

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
NAMES = ("externalId", "userName", "displayName")
"""By which of its values a resource is looked up whose creation was not answered."""


class ScimTarget:
    """`base_url` is where the service answers, also when the target is embedded."""

    def __init__(
        self,
        target: Target,
        base_url: str,
        credential: Credential,
        *,
        sleep: Sleep = asyncio.sleep,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        profile = target.profile
        self._members = profile.max_members_per_request
        self.requests = 0
        self._connection = Connection(
            target,
            base_url,
            credential,
            sent=self._count,
            sleep=sleep,
            monotonic=monotonic,
        )
        self._service = Service(self._connection, page_size=profile.page_size)

    def _count(self) -> None:
        self.requests += 1

    async def probe(self) -> None:
        """Read what the service announces and, as that may need no proof, one user."""
        service = self._service
        config = await service.ask(
            Request("GET", "/ServiceProviderConfig"), through=True
        )
        # Services without it were seen.
        if config.status != HTTPStatus.NOT_FOUND:
            judge_service(config, service.place, "GET /ServiceProviderConfig")
        answer = await service.ask(
            Request("GET", "/Users", {"count": "1"}), through=True
        )
        judge_service(answer, service.place, "GET /Users")

    async def resources(
        self, resource_type: str, paths: Sequence[str]
    ) -> AsyncIterator[TargetResource]:
        query = {"excludedAttributes": "members"} if resource_type == "Group" else {}
        async for each in self._service.every(resource_type, query):
            yield TargetResource(id=each["id"], values=extract(each, paths))

    async def find(
        self, resource_type: str, path: str, value: str, paths: Sequence[str]
    ) -> tuple[TargetResource, ...]:
        query = {"filter": equality(path, value)}
        found = [
            TargetResource(id=each["id"], values=extract(each, paths))
            async for each in self._service.every(resource_type, query)
            if has_value(each, path, value)
        ]
        return tuple(found)

    async def member_ids(self, resource_type: str, resource: str) -> frozenset[str]:
        path = await self._service.path(resource_type, resource)
        answer = await self._service.one(
            Request("GET", path, {"attributes": "members"})
        )
        members = answer.document.get("members") or []
        return frozenset(each["value"] for each in members if each.get("value"))

    async def create(self, resource_type: str, values: Flat) -> str:
        path = await self._service.path(resource_type)
        request = Request("POST", path, body=assemble(resource_type, values))
        try:
            answer = await self._connection.send(request)
        except Unanswered as error:
            return await self._look_up(resource_type, values, error)
        answer = judge(answer, self._service.place, f"POST {path}")
        created = answer.document.get("id")
        if isinstance(created, str):
            return created
        lost = Unanswered("answered without an id", reached=True, status=answer.status)
        return await self._look_up(resource_type, values, lost)

    async def modify(
        self, resource_type: str, resource: str, changes: Sequence[Change]
    ) -> None:
        operations = patch_operations(changes)
        if operations:
            await self._patch(resource_type, resource, operations)

    async def change_members(
        self,
        resource_type: str,
        resource: str,
        *,
        add: Sequence[str],
        remove: Sequence[str],
    ) -> None:
        patches = member_patches(add=add, remove=remove, size=self._members)
        for operations in patches:
            await self._patch(resource_type, resource, operations)

    async def close(self) -> None:
        await self._connection.close()

    async def _patch(
        self, resource_type: str, resource: str, operations: list[dict[str, Any]]
    ) -> None:
        path = await self._service.path(resource_type, resource)
        body = {"schemas": [PATCH_OP], "Operations": operations}
        await self._service.one(Request("PATCH", path, body=body))

    async def _look_up(self, resource_type: str, values: Flat, lost: Unanswered) -> str:
        """Return the id of what was created although we were not told.

        It is not sent again: the first may still be at work, and not every service
        knows that a name is unique. The next cycle matches before it creates.
        """
        if not lost.reached:
            raise self._service.down(lost) from lost
        path = next((each for each in NAMES if isinstance(values.get(each), str)), None)
        found = await self.find(resource_type, path, values[path], ()) if path else ()
        if len(found) == 1:
            return found[0].id
        raise Refusal(
            lost.status,
            f"{self._service.place} {lost.reason} to a POST, and {len(found)} resources"
            " are found that may be the new one.",
        ) from lost
