"""One text for one value: canonical JSON and its digest."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec


def canonical_json(value: Any) -> bytes:
    """Encode with sorted keys and no white space: equal values, equal bytes."""
    return msgspec.json.encode(msgspec.to_builtins(value), order="deterministic")


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
