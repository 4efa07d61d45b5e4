"""Answers of the tenant directory: SCIM JSON, errors in SCIM shape, versions."""

from __future__ import annotations

from collections.abc import Mapping
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

from cloudforest.adapters.store.tenant import VersionDiffers
from cloudforest.adapters.store.tenant_rows import Stored, Taken
from cloudforest.control_plane.tenant.content import location, version_tag

MEDIA_TYPE = "application/scim+json"
HTTP_UNAUTHORIZED = 401
MAX_BODY = 8 * 1024 * 1024
"""In bytes; a PATCH with 50,000 members has a third of that."""


def base_of(request: Request) -> str:
    """Return the URL of the service as the client wrote it, without a slash."""
    return str(request.base_url).rstrip("/")


def scim(
    body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(body, status, headers, MEDIA_TYPE)


def resource_answer(
    stored: Stored, body: bytes, base: str, *, status: int = 200
) -> Response:
    headers = {"ETag": version_tag(stored), "Location": location(stored, base)}
    return scim(body, status=status, headers=headers)


async def read_body(request: Request) -> bytes:
    """Return the body, reading no more of it than is allowed."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise PayloadTooLargeException(
                detail=f"The request body is larger than {MAX_BODY} bytes; send several"
                " smaller requests."
            )
    return bytes(body)


def read_json(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidSyntaxException(
            detail="The request body is not a JSON object."
        ) from error


def versions_of(header: str | None) -> frozenset[int] | None:
    """Return the versions that If-Match allows; None allows every one."""
    if header is None or "*" in header:
        return None
    tags = (each.strip().removeprefix("W/").strip('"') for each in header.split(","))
    return frozenset(int(each) for each in tags if each.isdecimal())


def found(stored: Stored | None) -> Stored:
    if stored is None:
        raise NotFoundException(detail="There is no such resource.")
    return stored


def _scim_exception(error: Exception) -> SCIMException | None:
    match error:
        case SCIMException():
            return error
        case ValidationError():
            return SCIMException.from_error(Error.from_validation_errors(error)[0])
        case Taken():
            return UniquenessException(
                detail="Another resource has this value, which must be unique."
            )
        case VersionDiffers():
            return PreconditionFailedException()
        case _:
            return None


def _error_of(error: Exception) -> Error:
    known = _scim_exception(error)
    if known is not None:
        return known.to_error()
    if isinstance(error, HTTPException):
        return Error(status=error.status_code, detail=error.detail)
    return Error(status=500, detail="The service failed; its log says why.")


async def error_answer(_request: Request, error: Exception) -> Response:
    answer = _error_of(error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if answer.status == HTTP_UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    body = msgspec.json.encode(answer.model_dump())
    return scim(body, status=answer.status or 500, headers=headers)


ERROR_HANDLERS = dict.fromkeys(
    (
        SCIMException,
        ValidationError,
        Taken,
        VersionDiffers,
        HTTPException,
        Exception,
    ),
    error_answer,
)
