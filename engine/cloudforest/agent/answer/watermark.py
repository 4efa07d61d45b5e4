"""The watermark of an answer: one opaque text for all that the next one starts from."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from cloudforest.base.canonical import canonical_json
from cloudforest.model.ports import Kind
from cloudforest.model.value import Value


class Watermark(Value, frozen=True):
    """A cookie for each kind of object, and a digest of who the scope's groups hold."""

    cookies: Mapping[Kind, str | None] = msgspec.field(default_factory=dict)
    members: str | None = None

    def encode(self) -> str:
        return base64.b64encode(canonical_json(msgspec.to_builtins(self))).decode()


def decoded(watermark: str | None) -> Watermark:
    """Return what it says; a watermark that is not ours starts a full read."""
    try:
        text = base64.b64decode(watermark or "", validate=True)
        return msgspec.json.decode(text, type=Watermark)
    except (binascii.Error, msgspec.DecodeError):
        return Watermark()


def digest(members: Iterable[str]) -> str:
    found = hashlib.sha256()
    for each in sorted(members):
        found.update(each.encode() + b"\n")
    return found.hexdigest()
