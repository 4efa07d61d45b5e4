"""The target port over SCIM 2.0.

Failures of requests concern either one object or the whole service. Membership changes
are split into PATCH requests of limited size (RFC 7644, 3.5.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from cloudforest.adapters.target.answers import (
    FIRST_ERROR_STATUS,
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
from cloudforest.base.clock import Sleep
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
"""The endpoint does not exist, whatever the filter."""

Operations = list[dict[str, Any]]
PATCH_OP_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
EXTERNAL_ID = "externalId"
"""Identifies a resource whose creation was not answered: no other resource has it."""
VALUES_PER_FILTER = 20
"""Values in one filter: some servers refuse long URLs."""


def read_member_ids(document: Mapping[str, Any], label: str) -> frozenset[str]:
    """Return the ids of a group's members; raise Rejected if it is not a group."""
    members = document.get("members") or []
    if (
        not document
        or not isinstance(members, list)
        or not all(isinstance(each, dict) for each in members)
    ):
        raise make_not_scim_error(label, "with something that is not a group")
    return frozenset(each["value"] for each in members if is_id(each.get("value")))


def member_patches(
    *, add: Sequence[str], remove: Sequence[str], size: int
) -> Iterator[Operations]:
    """Yield the operations of each request, with at most `size` members."""
    for start in range(0, len(add), size):
        members = [{"value": each} for each in add[start : start + size]]
        yield [{"op": "add", "path": "members", "value": members}]
    for start in range(0, len(remove), size):
        batch = remove[start : start + size]
        filters = (equality_filter("value", each) for each in batch)
        yield [{"op": "remove", "path": f"members[{each}]"} for each in filters]


def _to_resource(document: Mapping[str, Any], paths: Sequence[str]) -> TargetResource:
    return TargetResource(id=document["id"], values=extract_values(document, paths))


class ScimTarget:
    """See `model.ports.target.Target`; `base_url` is set for an embedded target too."""

    def __init__(
        self,
        target: Target,
        base_url: str,
        credential: Credential,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._profile = target.profile
        self._connection = TargetConnection(target, base_url, credential, sleep)
        self._label = self._connection.label
        # The types of RFC 7643; others are discovered.
        self._endpoints = {"User": "/Users", "Group": "/Groups"}

    @property
    def requests(self) -> int:
        return self._connection.requests

    async def list_resources(
        self, resource_type: str, paths: Sequence[str]
    ) -> AsyncIterator[TargetResource]:
        query = {"excludedAttributes": "members"} if resource_type == "Group" else {}
        async for each in self._read_resources(resource_type, query):
            yield _to_resource(each, paths)

    async def find(
        self, resource_type: str, path: str, value: MatchValue, paths: Sequence[str]
    ) -> tuple[TargetResource, ...]:
        query = {"filter": equality_filter(path, value)}
        matches = {
            each["id"]: _to_resource(each, paths)
            async for each in self._read_resources(resource_type, query)
            if has_value(each, path, value)
        }
        return tuple(matches.values())

    async def find_taken_values(
        self, resource_type: str, path: str, values: Sequence[str]
    ) -> frozenset[str]:
        taken: set[str] = set()
        for start in range(0, len(values), VALUES_PER_FILTER):
            batch = values[start : start + VALUES_PER_FILTER]
            filters = (equality_filter(path, each) for each in batch)
            query = {"filter": " or ".join(filters)}
            async for resource in self._read_resources(resource_type, query):
                taken |= {each for each in batch if has_value(resource, path, each)}
        return frozenset(taken)

    async def list_member_ids(
        self, resource_type: str, resource: str
    ) -> frozenset[str]:
        path = await self._resource_path(resource_type, resource)
        request = Request("GET", path, {"attributes": "members"})
        return read_member_ids(await self._send_for_object(request), self._label)

    async def create(self, resource_type: str, values: FlatResource) -> str:
        path = await self._resource_path(resource_type)
        request = Request("POST", path, body=assemble_resource(resource_type, values))
        try:
            answer = await self._connection.send(request)
        except Unanswered as error:
            return await self._find_created(resource_type, values, error)
        created = require_success(answer, self._label, f"POST {path}").get("id")
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
        size = self._profile.max_members_per_request
        for operations in member_patches(add=add, remove=remove, size=size):
            await self._patch(resource_type, resource, operations)

    async def delete(self, resource_type: str, resource: str) -> None:
        path = await self._resource_path(resource_type, resource)
        await self._send_for_object(Request("DELETE", path))

    async def close(self) -> None:
        await self._connection.close()

    async def _patch(
        self, resource_type: str, resource: str, operations: Operations
    ) -> None:
        path = await self._resource_path(resource_type, resource)
        body = {"schemas": [PATCH_OP_SCHEMA], "Operations": operations}
        await self._send_for_object(Request("PATCH", path, body=body))

    async def _find_created(
        self, resource_type: str, values: FlatResource, error: Unanswered
    ) -> str:
        """Return the id of a resource whose creation was not answered.

        The creation is not sent again: the first may still be running, and not every
        service enforces unique names. The next cycle matches before it creates.
        """
        if not error.reached:
            raise self._make_unavailable_error(error) from error
        anchor = values.get(EXTERNAL_ID)
        matches: tuple[TargetResource, ...] = ()
        if isinstance(anchor, str):
            # A failed look-up does not prove that nothing was created.
            with suppress(Refusal, CloudforestError):
                matches = await self.find(resource_type, EXTERNAL_ID, anchor, ())
        if len(matches) == 1:
            return matches[0].id
        raise Refusal(
            error.status,
            f"{self._label} {error.reason} to a POST, and {len(matches)}"
            " resources match the new one.",
        ) from error

    async def _send_for_object(self, request: Request) -> dict[str, Any]:
        """Send a request about one object; no answer is the outcome of that object."""
        try:
            answer = await self._connection.send(request)
        except Unanswered as error:
            if not error.reached:
                raise self._make_unavailable_error(error) from error
            raise Refusal(
                error.status, f"{self._label} {error.reason} to a {request.method}."
            ) from error
        is_success = answer.status < FIRST_ERROR_STATUS
        if answer.excess and is_success and request.method != "GET":
            return {}  # the write is done, whatever the answer holds
        return require_success(answer, self._label, request.method)

    async def _read_page(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Read a ListResponse; a refused filter is the outcome of its object.

        No answer means that the service is down.
        """
        try:
            answer = await self._connection.send(Request("GET", path, query))
        except Unanswered as error:
            raise self._make_unavailable_error(error) from error
        name, refused = self._connection.name, _REFUSED_STATUSES
        require_accepted_credential(answer, self._label, name, refused_statuses=refused)
        is_about_object = "filter" in query and answer.status not in _NO_ENDPOINT
        require = require_success if is_about_object else require_service_success
        return require_list(require(answer, self._label, f"GET {path}"), self._label)

    def _make_unavailable_error(self, error: Unanswered) -> TargetUnavailable:
        return TargetUnavailable(
            f"{self._label} {error.reason}. Check that it is running, and try again."
        )

    async def _read_resources(
        self, resource_type: str, query: Mapping[str, str]
    ) -> AsyncIterator[dict[str, Any]]:
        path = await self._resource_path(resource_type)
        size = self._profile.page_size

        async def fetch(start: int) -> dict[str, Any]:
            window = {"startIndex": str(start), "count": str(size)}
            return await self._read_page(path, {**query, **window})

        async for each in read_all_resources(fetch, self._label, size=size):
            yield each

    async def _resource_path(
        self, resource_type: str, resource: str | None = None
    ) -> str:
        if resource_type not in self._endpoints:
            await self._discover_endpoint(resource_type)
        endpoint = self._endpoints[resource_type]
        if resource is None:
            return endpoint
        return f"{endpoint}/{quote(resource, safe='')}"

    async def _discover_endpoint(self, resource_type: str) -> None:
        """Read the endpoints of types that RFC 7643 does not define."""
        page = await self._read_page("/ResourceTypes", {})
        for each in page.get("Resources") or []:
            if not isinstance(each, dict):
                what = "GET /ResourceTypes with something that is not a resource type"
                raise make_not_scim_error(self._label, what)
            name, endpoint = str(each.get("name")), str(each.get("endpoint"))
            self._endpoints.setdefault(name, "/" + endpoint.strip("/"))
        if resource_type not in self._endpoints:
            raise Rejected(
                f'{self._label} does not have the resource type "{resource_type}".'
                " Remove the mapping to it from the job."
            )
