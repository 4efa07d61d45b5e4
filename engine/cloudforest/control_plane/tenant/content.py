"""Converts resources between the stored form, the SCIM model and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from scim2_models import Context, Resource, ResponseParameters

from cloudforest.adapters.store.tenant import ResourceContent, StoredResource
from cloudforest.control_plane.tenant.types import SERVED_TYPES, ServedType

_SERVER_ATTRIBUTES = ("id", "meta", "members")
_PROJECTION_PARAMETERS = ("attributes", "excludedAttributes")


def make_etag(stored: StoredResource) -> str:
    return f'W/"{stored.version}"'


def make_location(stored: StoredResource, base: str) -> str:
    return f"{base}/{SERVED_TYPES[stored.type].endpoint}/{stored.id}"


def _make_meta(stored: StoredResource, base: str) -> dict[str, str]:
    return {
        "resourceType": stored.type,
        "created": stored.created,
        "lastModified": stored.modified,
        "location": make_location(stored, base),
        "version": make_etag(stored),
    }


def to_model(stored: StoredResource, base: str = "") -> Resource[Any]:
    document = msgspec.json.decode(stored.body)
    if stored.members:
        members = stored.members.values()
        document["members"] = [msgspec.json.decode(each) for each in members]
    document |= {"id": stored.id, "meta": _make_meta(stored, base)}
    return SERVED_TYPES[stored.type].model.model_validate(document)


def _make_index_keys(kind: ServedType, document: Mapping[str, Any]) -> dict[str, str]:
    return {
        path: key(document[path])
        for path, key in kind.index_keys.items()
        if document.get(path)
    }


def to_content(
    kind: ServedType,
    resource: Resource[Any],
    *,
    members: bool,
    before: StoredResource | None = None,
) -> ResourceContent:
    """Return the stored form: as a client reads it, so never a password.

    Stored members stay unchanged without `members`, and so do index keys that equal
    those of `before`.
    """
    document = resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
    keys = _make_index_keys(kind, document)
    same = before and keys == _make_index_keys(kind, msgspec.json.decode(before.body))
    present = [each for each in document.get("members") or () if each.get("value")]
    body = {path: document[path] for path in document if path not in _SERVER_ATTRIBUTES}
    return ResourceContent(
        body=msgspec.json.encode(body),
        keys=None if same else keys,
        unique_path=kind.unique_key,
        members={each["value"]: msgspec.json.encode(each) for each in present}
        if members
        else None,
    )


def to_json(
    stored: StoredResource, base: str, parameters: ResponseParameters[Any] | None = None
) -> bytes:
    """Return the resource as a client sees it, with the requested attributes only."""
    if parameters is not None:
        context, resource = Context.RESOURCE_QUERY_RESPONSE, to_model(stored, base)
        return msgspec.json.encode(
            resource.model_dump(scim_ctx=context, response_parameters=parameters)
        )
    # The stored body is JSON already and needs no decoding.
    head = msgspec.json.encode({"id": stored.id, "meta": _make_meta(stored, base)})
    text = head[:-1] + b"," + stored.body[1:]
    if not stored.members:
        return text
    return text[:-1] + b',"members":[' + b",".join(stored.members.values()) + b"]}"


def parse_projection(
    model: type[ResponseParameters[Any]], query: Mapping[str, str]
) -> ResponseParameters[Any] | None:
    """Return the requested attributes (RFC 7644, 3.9); None: the whole resource."""
    given = {name: query[name] for name in _PROJECTION_PARAMETERS if query.get(name)}
    return model.model_validate(given) if given else None


def _includes_members(paths: list[Any] | None) -> bool:
    return any(
        str(each).rpartition(":")[2].lower() == "members" for each in paths or ()
    )


def are_members_requested(parameters: ResponseParameters[Any] | None) -> bool:
    if parameters is None:
        return True
    if parameters.attributes:
        return any("members" in str(each).lower() for each in parameters.attributes)
    return not _includes_members(parameters.excluded_attributes)


def excludes_only_members(parameters: ResponseParameters[Any]) -> bool:
    return (
        not parameters.attributes
        and len(parameters.excluded_attributes or ()) == 1
        and _includes_members(parameters.excluded_attributes)
    )
