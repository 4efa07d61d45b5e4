"""The endpoints of one resource type: create, read, replace, patch, delete.

A PATCH that only adds or removes members changes rows and does not read the group:
provisioning sends thousands of them. Every other PATCH takes the general path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from scim2_models import Context, Resource, ResponseParameters
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cloudforest.adapters.store.tenant import (
    Members,
    ResourceContent,
    StoredResource,
    TenantDirectory,
)
from cloudforest.control_plane.tenant.content import (
    are_members_requested,
    make_etag,
    parse_projection,
    to_content,
    to_model,
)
from cloudforest.control_plane.tenant.http import (
    read_body,
    read_if_match,
    read_json,
    require_found,
    resource_response,
)
from cloudforest.control_plane.tenant.types import SCIM_POLICY, ServedType

MEMBER_PATH = re.compile(
    r'members\s*\[\s*value\s+eq\s+("(?:[^"\\]|\\.)*")\s*\]', re.IGNORECASE
)
MEMBER_SUB_ATTRIBUTES = frozenset({"value", "type", "display", "$ref"})


@dataclass
class MemberChanges:
    """Members to add and to remove; the last operation on a member counts."""

    add: Members = field(default_factory=dict)
    remove: dict[str, None] = field(default_factory=dict)


def _is_member(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= MEMBER_SUB_ATTRIBUTES
        and all(isinstance(each, str) for each in value.values())
        and bool(value.get("value"))
    )


def _add_members(operation: dict[str, Any], changes: MemberChanges) -> bool:
    value = operation.get("value")
    members: list[Any] = value if isinstance(value, list) else [value]
    if not all(_is_member(each) for each in members):
        return False
    for each in members:
        changes.remove.pop(each["value"], None)
        changes.add[each["value"]] = msgspec.json.encode(each)
    return True


def _remove_member(operation: dict[str, Any], changes: MemberChanges) -> bool:
    path = MEMBER_PATH.fullmatch(operation["path"].strip())
    if path is None or operation.get("value") is not None:
        return False
    member = json.loads(path[1])
    changes.add.pop(member, None)
    changes.remove[member] = None
    return True


def _apply_operation(operation: Any, changes: MemberChanges) -> bool:
    if not isinstance(operation, dict):
        return False
    path = operation.get("path")
    match str(operation.get("op")).lower(), path:
        case "add", str() if path.lower() == "members":
            return _add_members(operation, changes)
        case "remove", str():
            return _remove_member(operation, changes)
        case _:
            return False


def parse_member_changes(patch: dict[str, Any]) -> MemberChanges | None:
    """Return the changes of members, or None if the PATCH does anything else."""
    operations, changes = patch.get("Operations"), MemberChanges()
    if not isinstance(operations, list) or not operations:
        return None
    only_members = all(_apply_operation(each, changes) for each in operations)
    return changes if only_members else None


def mentions_members(patch: dict[str, Any]) -> bool:
    """Tell whether applying the PATCH needs the members of the group."""
    operations = patch.get("Operations")
    return not isinstance(operations, list) or any(
        not isinstance(each, dict)
        or not isinstance(each.get("path"), str)
        or "members" in each["path"].lower()
        for each in operations
    )


@dataclass(frozen=True)
class ResourceEndpoints:
    directory: TenantDirectory
    kind: ServedType

    async def create(self, request: Request) -> Response:
        resource = await self._read_resource(request, Context.RESOURCE_CREATION_REQUEST)
        content = to_content(self.kind, resource, members=self.kind.has_members)
        stored = await self.directory.create(self.kind.name, content)
        return resource_response(stored, request, status=201)

    async def read(self, request: Request) -> Response:
        parameters = parse_projection(ResponseParameters, request.query_params)
        members = self.kind.has_members and are_members_requested(parameters)
        id_ = request.path_params["id"]
        found = await self.directory.get(self.kind.name, id_, members=members)
        stored = require_found(found)
        if request.headers.get("if-none-match") == make_etag(stored):
            return Response(status_code=304, headers={"ETag": make_etag(stored)})
        return resource_response(stored, request, parameters)

    async def replace(self, request: Request) -> Response:
        context = Context.RESOURCE_REPLACEMENT_REQUEST
        resource = await self._read_resource(request, context)
        members = self.kind.has_members

        def revise(stored: StoredResource) -> ResourceContent | None:
            resource.replace(to_model(stored))
            content = to_content(self.kind, resource, members=members, before=stored)
            same = content.body == stored.body
            return None if same and content.members == stored.members else content

        stored = await self._revise(request, revise, members=members)
        return resource_response(stored, request)

    async def patch(self, request: Request) -> Response:
        document = read_json(await read_body(request))
        changes = parse_member_changes(document) if self.kind.has_members else None
        if changes is None:
            stored = await self._patch_resource(request, document)
        else:
            stored = require_found(
                await self.directory.change_members(
                    self.kind.name,
                    request.path_params["id"],
                    add=changes.add,
                    remove=list(changes.remove),
                    versions=read_if_match(request),
                )
            )
        # RFC 7644, 3.5.2: 204 if the request names no attributes.
        return Response(status_code=204, headers={"ETag": make_etag(stored)})

    async def delete(self, request: Request) -> Response:
        id_, versions = request.path_params["id"], read_if_match(request)
        if not await self.directory.delete(self.kind.name, id_, versions=versions):
            require_found(None)
        return Response(status_code=204)

    async def _read_resource(self, request: Request, context: Context) -> Resource[Any]:
        return self.kind.model.model_validate_json(
            await read_body(request), scim_ctx=context, scim_policy=SCIM_POLICY
        )

    async def _patch_resource(
        self, request: Request, document: dict[str, Any]
    ) -> StoredResource:
        members = self.kind.has_members and mentions_members(document)
        operations = self.kind.patch_model.model_validate(
            document, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=SCIM_POLICY
        )

        def revise(stored: StoredResource) -> ResourceContent | None:
            resource: Resource[Any] = to_model(stored)
            if not operations.patch(resource, scim_policy=SCIM_POLICY):
                return None
            return to_content(self.kind, resource, members=members, before=stored)

        return await self._revise(request, revise, members=members)

    async def _revise(
        self,
        request: Request,
        revise: Callable[[StoredResource], ResourceContent | None],
        *,
        members: bool,
    ) -> StoredResource:
        id_, versions = request.path_params["id"], read_if_match(request)
        found = await self.directory.revise(
            self.kind.name, id_, revise, members=members, versions=versions
        )
        return require_found(found)


def make_resource_routes(directory: TenantDirectory, kind: ServedType) -> list[Route]:
    endpoints, one = ResourceEndpoints(directory, kind), f"/{kind.endpoint}/{{id}}"
    return [
        Route(f"/{kind.endpoint}", endpoints.create, methods=["POST"]),
        Route(one, endpoints.read, methods=["GET"]),
        Route(one, endpoints.replace, methods=["PUT"]),
        Route(one, endpoints.patch, methods=["PATCH"]),
        Route(one, endpoints.delete, methods=["DELETE"]),
    ]
