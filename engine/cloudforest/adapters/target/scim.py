"""A SCIM 2.0 service as a target: the port, in SCIM's words.

Requests to a target, told apart by whom a failure concerns.

Membership changes as PATCH requests, none larger than allowed (RFC 7644, 3.5.2).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from cloudforest.adapters.target.answers import (
    Answer,
    Request,
    Unanswered,
    make_not_scim_error,
    require_accepted_credential,
    require_service_success,
    require_success,
)
from cloudforest.adapters.target.connection import TargetConnection
from cloudforest.adapters.target.credentials import Credential
from cloudforest.adapters.target.lists import (
    equality_filter,
    has_value,
    is_id,
    read_all_resources,
    require_list,
)
from cloudforest.base.clock import Monotonic, Sleep
from cloudforest.base.errors import CloudforestError, Rejected, TargetUnavailable
from cloudforest.model.effects import Change
from cloudforest.model.ports.target import Refusal
from cloudforest.model.registration import Target
from cloudforest.model.source import FlatResource, MatchValue, TargetResource
from cloudforest.program.scim.resource import (
    assemble_resource,
    extract_values,
    make_patch_operations,
)

_REFUSED_STATUSES = frozenset({401, 403})
_NO_ENDPOINT = frozenset({404, 405})
"""There is no such endpoint, whatever the filter."""


class ScimService:
    """The target's endpoints; `place` names it in sentences."""

    def __init__(self, connection: TargetConnection, *, page_size: int) -> None:
        self.label = connection.label
        self.connection = connection
        self._page_size = page_size
        self._endpoints = {"User": "/Users", "Group": "/Groups"}

    async def send_for_object(self, request: Request) -> dict[str, Any]:
        """Send a request about one object: no answer is an outcome of that object."""
        try:
            answer = await self.connection.send(request)
        except Unanswered as error:
            if not error.reached:
                raise self.make_unavailable_error(error) from error
            raise Refusal(
                error.status, f"{self.label} {error.reason} to a {request.method}."
            ) from error
        return require_success(answer, self.label, request.method)

    async def _send_for_service(self, request: Request) -> Answer:
        """Send a request about the service: no answer means that it is down."""
        try:
            answer = await self.connection.send(request)
        except Unanswered as error:
            raise self.make_unavailable_error(error) from error
        require_accepted_credential(
            answer, self.label, self.connection.name, refused_statuses=_REFUSED_STATUSES
        )
        return answer

    async def read_page(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Read a ListResponse; what is wrong with a filter is told of its object."""
        answer = await self._send_for_service(Request("GET", path, query))
        filtered = "filter" in query and answer.status not in _NO_ENDPOINT
        verdict = require_success if filtered else require_service_success
        return require_list(verdict(answer, self.label, f"GET {path}"), self.label)

    def make_unavailable_error(self, error: Unanswered) -> TargetUnavailable:
        return TargetUnavailable(
            f"{self.label} {error.reason}; see that it runs and try again."
        )

    async def read_resources(
        self, resource_type: str, query: Mapping[str, str]
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the resources of a list, page by page."""
        path = await self.resource_path(resource_type)

        async def fetch(start: int) -> dict[str, Any]:
            window = {"startIndex": str(start), "count": str(self._page_size)}
            return await self.read_page(path, {**query, **window})

        async for each in read_all_resources(fetch, self.label, size=self._page_size):
            yield each

    async def resource_path(
        self, resource_type: str, resource: str | None = None
    ) -> str:
        if resource_type not in self._endpoints:
            await self._discover_endpoint(resource_type)
        endpoint = self._endpoints[resource_type]
        return (
            endpoint if resource is None else f"{endpoint}/{quote(resource, safe='')}"
        )

    async def _discover_endpoint(self, resource_type: str) -> None:
        """Learn the endpoints of the types that RFC 7643 does not name."""
        page = await self.read_page("/ResourceTypes", {})
        for each in page.get("Resources") or []:
            if not isinstance(each, dict):
                raise make_not_scim_error(
                    self.label, "GET /ResourceTypes with what is no type"
                )
            name, endpoint = str(each.get("name")), str(each.get("endpoint"))
            self._endpoints.setdefault(name, "/" + endpoint.strip("/"))
        if resource_type not in self._endpoints:
            raise Rejected(
                f"{self.label} declares no resource type {resource_type}; leave the"
                " mapping to it out of the job."
            )


Operations = list[dict[str, Any]]


def read_member_ids(document: Mapping[str, Any], label: str) -> frozenset[str]:
    """Return the ids of the members of a group that was read."""
    members = document.get("members") or []
    if (
        not document
        or not isinstance(members, list)
        or not all(isinstance(each, dict) for each in members)
    ):
        raise make_not_scim_error(
            label, "something that is not a group where one was asked for"
        )
    return frozenset(each["value"] for each in members if is_id(each.get("value")))


def _remove_operation(member: str) -> dict[str, Any]:
    literal = json.dumps(member, ensure_ascii=False)
    return {"op": "remove", "path": f"members[value eq {literal}]"}


def member_patches(
    *, add: Sequence[str], remove: Sequence[str], size: int
) -> Iterator[Operations]:
    """Yield the operations of each request, with at most `size` members in it."""
    for start in range(0, len(add), size):
        members = [{"value": each} for each in add[start : start + size]]
        yield [{"op": "add", "path": "members", "value": members}]
    for start in range(0, len(remove), size):
        yield [_remove_operation(each) for each in remove[start : start + size]]


PATCH_OP_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
EXTERNAL_ID = "externalId"
"""What a resource is looked up by whose creation was not answered: nobody else's."""

VALUES_PER_FILTER = 20
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
        self._members_per_request = profile.max_members_per_request
        self.requests = 0
        self._connection = TargetConnection(
            target,
            base_url,
            credential,
            on_send=self._count_request,
            sleep=sleep,
            monotonic=monotonic,
        )
        self._service = ScimService(self._connection, page_size=profile.page_size)

    def _count_request(self) -> None:
        self.requests += 1

    async def list_resources(
        self, resource_type: str, paths: Sequence[str]
    ) -> AsyncIterator[TargetResource]:
        query = {"excludedAttributes": "members"} if resource_type == "Group" else {}
        async for each in self._service.read_resources(resource_type, query):
            yield TargetResource(id=each["id"], values=extract_values(each, paths))

    async def find(
        self, resource_type: str, path: str, value: MatchValue, paths: Sequence[str]
    ) -> tuple[TargetResource, ...]:
        query = {"filter": equality_filter(path, value)}
        found = {
            each["id"]: TargetResource(
                id=each["id"], values=extract_values(each, paths)
            )
            async for each in self._service.read_resources(resource_type, query)
            if has_value(each, path, value)
        }
        return tuple(found.values())

    async def find_taken_values(
        self, resource_type: str, path: str, values: Sequence[str]
    ) -> frozenset[str]:
        found: set[str] = set()
        for start in range(0, len(values), VALUES_PER_FILTER):
            asked = values[start : start + VALUES_PER_FILTER]
            query = {
                "filter": " or ".join(equality_filter(path, each) for each in asked)
            }
            async for resource in self._service.read_resources(resource_type, query):
                found |= {each for each in asked if has_value(resource, path, each)}
        return frozenset(found)

    async def list_member_ids(
        self, resource_type: str, resource: str
    ) -> frozenset[str]:
        path = await self._service.resource_path(resource_type, resource)
        document = await self._service.send_for_object(
            Request("GET", path, {"attributes": "members"})
        )
        return read_member_ids(document, self._service.label)

    async def create(self, resource_type: str, values: FlatResource) -> str:
        path = await self._service.resource_path(resource_type)
        request = Request("POST", path, body=assemble_resource(resource_type, values))
        try:
            answer = await self._connection.send(request)
        except Unanswered as error:
            return await self._find_created(resource_type, values, error)
        created = require_success(answer, self._service.label, f"POST {path}").get("id")
        if isinstance(created, str) and created:
            return created
        lost = Unanswered("answered without an id", reached=True, status=answer.status)
        return await self._find_created(resource_type, values, lost)

    async def modify(
        self, resource_type: str, resource: str, changes: Sequence[Change]
    ) -> None:
        operations = make_patch_operations(changes)
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
        patches = member_patches(add=add, remove=remove, size=self._members_per_request)
        for operations in patches:
            await self._patch(resource_type, resource, operations)

    async def delete(self, resource_type: str, resource: str) -> None:
        path = await self._service.resource_path(resource_type, resource)
        await self._service.send_for_object(Request("DELETE", path))

    async def close(self) -> None:
        await self._connection.close()

    async def _patch(
        self, resource_type: str, resource: str, operations: list[dict[str, Any]]
    ) -> None:
        path = await self._service.resource_path(resource_type, resource)
        body = {"schemas": [PATCH_OP_SCHEMA], "Operations": operations}
        await self._service.send_for_object(Request("PATCH", path, body=body))

    async def _find_created(
        self, resource_type: str, values: FlatResource, error: Unanswered
    ) -> str:
        """Return the id of what was created although we were not told.

        It is not sent again: the first may still be at work, and not every service
        knows that a name is unique. The next cycle matches before it creates.
        """
        if not error.reached:
            raise self._service.make_unavailable_error(error) from error
        anchor = values.get(EXTERNAL_ID)
        found: tuple[TargetResource, ...] = ()
        if isinstance(anchor, str):
            # That we can't look now does not say that nothing was created.
            with suppress(Refusal, CloudforestError):
                found = await self.find(resource_type, EXTERNAL_ID, anchor, ())
        if len(found) == 1:
            return found[0].id
        raise Refusal(
            error.status,
            f"{self._service.label} {error.reason} to a POST, and {len(found)} "
            "resources"
            " are found that may be the new one.",
        ) from error
