"""Requests and responses of the built-in directory: SCIM JSON, errors, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from pydantic import ValidationError
from scim2_models import (
    Error,
    InvalidSyntaxException,
    ListResponse,
    NotFoundException,
    PayloadTooLargeException,
    PreconditionFailedException,
    ResponseParameters,
    SCIMException,
    UniquenessException,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloudforest.adapters.store.tenant import (
    StoredResource,
    UniquenessConflict,
    VersionMismatch,
)
from cloudforest.control_plane.api.http import BodyTooLarge, read_bounded_body
from cloudforest.control_plane.tenant.content import make_etag, make_location, to_json

MEDIA_TYPE = "application/scim+json"
MAX_BODY_BYTES = 8 * 1024 * 1024
"""In bytes; a PATCH with 50,000 members needs a third of it."""


def get_base_url(request: Request) -> str:
    """Return the URL of the service as the client wrote it, without a final slash."""
    return str(request.base_url).rstrip("/")


def scim_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(body, status, headers, MEDIA_TYPE)


def resource_response(
    stored: StoredResource,
    request: Request,
    parameters: ResponseParameters[Any] | None = None,
    *,
    status: int = 200,
) -> Response:
    base = get_base_url(request)
    headers = {"ETag": make_etag(stored), "Location": make_location(stored, base)}
    return scim_response(to_json(stored, base, parameters), status, headers)


def list_response(resources: Sequence[Any], *, total: int, start: int = 1) -> Response:
    document = {
        "schemas": [str(ListResponse.__schema__)],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }
    return scim_response(msgspec.json.encode(document))


async def read_body(request: Request) -> bytearray:
    return await read_bounded_body(request, MAX_BODY_BYTES)


def read_json(body: bytearray) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        detail = "The request body is not a JSON object."
        raise InvalidSyntaxException(detail=detail) from error


def read_if_match(request: Request) -> frozenset[int] | None:
    """Return the versions that If-Match allows; None: all."""
    header = request.headers.get("if-match")
    if header is None or "*" in header:
        return None
    tags = (each.strip().removeprefix("W/").strip('"') for each in header.split(","))
    return frozenset(int(each) for each in tags if each.isdecimal())


def require_found(stored: StoredResource | None) -> StoredResource:
    if stored is None:
        raise NotFoundException(detail="The resource does not exist.")
    return stored


def _make_scim_error(error: Exception) -> Error:
    match error:
        case SCIMException():
            return error.to_error()
        case BodyTooLarge():
            return PayloadTooLargeException(detail=str(error)).to_error()
        case ValidationError():
            found = Error.from_validation_errors(error)[0]
            return SCIMException.from_error(found).to_error()
        case UniquenessConflict():
            detail = "Another resource already has this unique value."
            return UniquenessException(detail=detail).to_error()
        case VersionMismatch():
            return PreconditionFailedException().to_error()
        case _:
            detail = "Internal error. See the log of the service."
            return Error(status=500, detail=detail)


async def error_response(_request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        answer = Error(status=error.status_code, detail=error.detail)
        headers = dict(error.headers or {})
    else:
        answer, headers = _make_scim_error(error), {}
    if answer.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    body = msgspec.json.encode(answer.model_dump())
    return scim_response(body, answer.status or 500, headers)


ERROR_HANDLERS = dict.fromkeys(
    (
        SCIMException,
        BodyTooLarge,
        ValidationError,
        UniquenessConflict,
        VersionMismatch,
        HTTPException,
        Exception,
    ),
    error_response,
)
