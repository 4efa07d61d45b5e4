"""Requests and responses of the built-in directory: SCIM JSON, errors, versions."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from pydantic import ValidationError
from scim2_models import (
    Error,
    InvalidSyntaxException,
    NotFoundException,
    PayloadTooLargeException,
    PreconditionFailedException,
    SCIMException,
    UniquenessException,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from cloudforest.adapters.store.tenant import VersionMismatch
from cloudforest.adapters.store.tenant_rows import StoredResource, UniquenessConflict
from cloudforest.control_plane.api.http import BodyTooLarge, read_bounded_body
from cloudforest.control_plane.tenant.content import make_etag, make_location

MEDIA_TYPE = "application/scim+json"
MAX_BODY_BYTES = 8 * 1024 * 1024
"""In bytes; a PATCH with 50,000 members needs a third of it."""


def get_base_url(request: Request) -> str:
    """Return the URL of the service as the client wrote it, without a final slash."""
    return str(request.base_url).rstrip("/")


def scim_response(
    body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(body, status, headers, MEDIA_TYPE)


def resource_response(
    stored: StoredResource, body: bytes, base: str, *, status: int = 200
) -> Response:
    headers = {"ETag": make_etag(stored), "Location": make_location(stored, base)}
    return scim_response(body, status=status, headers=headers)


async def read_body(request: Request) -> bytes:
    return await read_bounded_body(request, MAX_BODY_BYTES)


def read_json(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidSyntaxException(
            detail="The request body is not a JSON object."
        ) from error


def parse_if_match(header: str | None) -> frozenset[int] | None:
    """Return the versions that If-Match allows; None: all."""
    if header is None or "*" in header:
        return None
    tags = (each.strip().removeprefix("W/").strip('"') for each in header.split(","))
    return frozenset(int(each) for each in tags if each.isdecimal())


def require_found(stored: StoredResource | None) -> StoredResource:
    if stored is None:
        raise NotFoundException(detail="The resource does not exist.")
    return stored


def _scim_exception(error: Exception) -> SCIMException | None:
    match error:
        case SCIMException():
            return error
        case BodyTooLarge():
            return PayloadTooLargeException(detail=str(error))
        case ValidationError():
            return SCIMException.from_error(Error.from_validation_errors(error)[0])
        case UniquenessConflict():
            return UniquenessException(
                detail="Another resource already has this unique value."
            )
        case VersionMismatch():
            return PreconditionFailedException()
        case _:
            return None


def _make_scim_error(error: Exception) -> Error:
    known = _scim_exception(error)
    if known is not None:
        return known.to_error()
    if isinstance(error, HTTPException):
        return Error(status=error.status_code, detail=error.detail)
    return Error(status=500, detail="Internal error. See the log of the service.")


async def error_response(_request: Request, error: Exception) -> Response:
    answer = _make_scim_error(error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if answer.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    body = msgspec.json.encode(answer.model_dump())
    return scim_response(body, status=answer.status or 500, headers=headers)


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
