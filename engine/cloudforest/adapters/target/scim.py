"""A SCIM 2.0 service as a target: the port, in SCIM's words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

from cloudforest.adapters.target.answers import (
    Request,
    Unanswered,
    judge,
)
from cloudforest.adapters.target.connection import Connection
from cloudforest.adapters.target.lists import equality, has_value
from cloudforest.adapters.target.members import member_patches, member_values
from cloudforest.adapters.target.pace import Monotonic
from cloudforest.adapters.target.proof.credential import Credential
from cloudforest.adapters.target.service import Service
from cloudforest.base.clock import Sleep
from cloudforest.base.errors import CloudforestError
from cloudforest.model.outcomes import Refusal
from cloudforest.model.provisioning import Change, Flat, MatchValue, TargetResource
from cloudforest.model.registration import Target
from cloudforest.program.resource import assemble, extract, patch_operations

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ANCHOR = "externalId"
"""What a resource is looked up by whose creation was not answered: nobody else's."""

ASKED_AT_ONCE = 20
"""Values in one filter: longer URLs are refused by some servers."""


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

    async def resources(
        self, resource_type: str, paths: Sequence[str]
    ) -> AsyncIterator[TargetResource]:
        query = {"excludedAttributes": "members"} if resource_type == "Group" else {}
        async for each in self._service.every(resource_type, query):
            yield TargetResource(id=each["id"], values=extract(each, paths))

    async def find(
        self, resource_type: str, path: str, value: MatchValue, paths: Sequence[str]
    ) -> tuple[TargetResource, ...]:
        query = {"filter": equality(path, value)}
        found = {
            each["id"]: TargetResource(id=each["id"], values=extract(each, paths))
            async for each in self._service.every(resource_type, query)
            if has_value(each, path, value)
        }
        return tuple(found.values())

    async def taken(
        self, resource_type: str, path: str, values: Sequence[str]
    ) -> frozenset[str]:
        found: set[str] = set()
        for start in range(0, len(values), ASKED_AT_ONCE):
            asked = values[start : start + ASKED_AT_ONCE]
            query = {"filter": " or ".join(equality(path, each) for each in asked)}
            async for resource in self._service.every(resource_type, query):
                found |= {each for each in asked if has_value(resource, path, each)}
        return frozenset(found)

    async def member_ids(self, resource_type: str, resource: str) -> frozenset[str]:
        path = await self._service.path(resource_type, resource)
        document = await self._service.one(
            Request("GET", path, {"attributes": "members"})
        )
        return member_values(document, self._service.place)

    async def create(self, resource_type: str, values: Flat) -> str:
        path = await self._service.path(resource_type)
        request = Request("POST", path, body=assemble(resource_type, values))
        try:
            answer = await self._connection.send(request)
        except Unanswered as error:
            return await self._look_up(resource_type, values, error)
        created = judge(answer, self._service.place, f"POST {path}").get("id")
        if isinstance(created, str) and created:
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

    async def delete(self, resource_type: str, resource: str) -> None:
        path = await self._service.path(resource_type, resource)
        await self._service.one(Request("DELETE", path))

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
        anchor = values.get(ANCHOR)
        found: tuple[TargetResource, ...] = ()
        if isinstance(anchor, str):
            # That we can't look now does not say that nothing was created.
            with suppress(Refusal, CloudforestError):
                found = await self.find(resource_type, ANCHOR, anchor, ())
        if len(found) == 1:
            return found[0].id
        raise Refusal(
            lost.status,
            f"{self._service.place} {lost.reason} to a POST, and {len(found)} resources"
            " are found that may be the new one.",
        ) from lost
