"""The watermark of an answer: one opaque text for the cookies of all object types."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec

from cloudforest.base.canonical import canonical_json
from cloudforest.model.program import ObjectType


def encoded(cookies: Mapping[ObjectType, str | None]) -> str:
    return base64.b64encode(canonical_json(dict(cookies))).decode()


def decoded(watermark: str | None) -> dict[ObjectType, str | None]:
    """Return the cookies; a watermark that is not ours starts a full read."""
    try:
        text = base64.b64decode(watermark or "", validate=True)
        return msgspec.json.decode(text, type=dict[ObjectType, str | None])
    except (binascii.Error, msgspec.DecodeError):
        return {}
