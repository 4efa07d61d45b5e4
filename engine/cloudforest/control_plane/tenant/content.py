"""Between the stored form of a resource, the model that judges it, and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from scim2_models import Context, Resource, ResponseParameters

from cloudforest.adapters.store.tenant_rows import Content, Members, Stored
from cloudforest.control_plane.tenant.types import KINDS, Kind

_OURS = ("id", "meta", "members")
_PROJECTIONS = ("attributes", "excludedAttributes")


def version_tag(stored: Stored) -> str:
    return f'W/"{stored.version}"'


def location(stored: Stored, base: str) -> str:
    return f"{base}/{KINDS[stored.type].endpoint}/{stored.id}"


def _meta(stored: Stored, base: str) -> dict[str, str]:
    return {
        "resourceType": stored.type,
        "created": stored.created,
        "lastModified": stored.modified,
        "location": location(stored, base),
        "version": version_tag(stored),
    }


def to_model(stored: Stored, base: str = "") -> Resource[Any]:
    document = msgspec.json.decode(stored.body)
    if stored.members:
        document["members"] = [
            msgspec.json.decode(each) for each in stored.members.values()
        ]
    document |= {"id": stored.id, "meta": _meta(stored, base)}
    return KINDS[stored.type].model.model_validate(document)


def _members(document: dict[str, Any]) -> Members:
    return {
        each["value"]: msgspec.json.encode(each)
        for each in document.get("members") or ()
        if each.get("value")
    }


def _keys(kind: Kind, document: Mapping[str, Any]) -> dict[str, str]:
    return {
        path: key(document[path])
        for path, key in kind.keys.items()
        if document.get(path)
    }


def to_content(
    kind: Kind,
    resource: Resource[Any],
    *,
    members: bool,
    before: Stored | None = None,
) -> Content:
    """Return what is stored: as a client reads it back, so never a password.

    Without `members` the stored ones are left as they are, and so are keys that are
    the same as `before`.
    """
    document = resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
    keys = _keys(kind, document)
    same = before and keys == _keys(kind, msgspec.json.decode(before.body))
    body = {path: value for path, value in document.items() if path not in _OURS}
    return Content(
        body=msgspec.json.encode(body),
        keys=None if same else keys,
        unique=kind.unique,
        members=_members(document) if members else None,
    )


def to_json(
    stored: Stored, base: str, parameters: ResponseParameters[Any] | None = None
) -> bytes:
    """Return the resource as a client sees it, reduced to what it asked for."""
    if parameters is not None:
        return msgspec.json.encode(
            to_model(stored, base).model_dump(
                scim_ctx=Context.RESOURCE_QUERY_RESPONSE,
                response_parameters=parameters,
            )
        )
    # What is stored is JSON already: no need to read it in order to write it.
    head = msgspec.json.encode({"id": stored.id, "meta": _meta(stored, base)})
    text = head[:-1] + b"," + stored.body[1:]
    if not stored.members:
        return text
    return text[:-1] + b',"members":[' + b",".join(stored.members.values()) + b"]}"


def asked(
    model: type[ResponseParameters[Any]], query: Mapping[str, str]
) -> ResponseParameters[Any] | None:
    """Return what a client asked for (RFC 7644, 3.9); None: all of the resource."""
    given = {name: query[name] for name in _PROJECTIONS if query.get(name)}
    return model.model_validate(given) if given else None


def _names_members(paths: list[Any] | None) -> bool:
    return any(
        str(each).rpartition(":")[2].lower() == "members" for each in paths or ()
    )


def wants_members(parameters: ResponseParameters[Any] | None) -> bool:
    if parameters is None:
        return True
    if parameters.attributes:
        return any("members" in str(each).lower() for each in parameters.attributes)
    return not _names_members(parameters.excluded_attributes)


def only_without_members(
    parameters: ResponseParameters[Any] | None,
) -> bool:
    """Return whether leaving out the members is all that was asked for."""
    return (
        parameters is not None
        and not parameters.attributes
        and len(parameters.excluded_attributes or ()) == 1
        and _names_members(parameters.excluded_attributes)
    )
