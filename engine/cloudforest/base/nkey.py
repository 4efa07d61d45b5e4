"""NKEYs: ed25519 keys in the text form of NATS. Their seeds are never printed."""

from __future__ import annotations

import os
from typing import Literal

import nkeys  # type: ignore[import-untyped]  # it ships no types

_PREFIXES = {
    "operator": nkeys.PREFIX_BYTE_OPERATOR,
    "account": nkeys.PREFIX_BYTE_ACCOUNT,
    "user": nkeys.PREFIX_BYTE_USER,
}


class NKey:
    def __init__(self, seed: bytes) -> None:
        self._pair = nkeys.from_seed(bytearray(seed))

    @property
    def public_key(self) -> str:
        return bytes(self._pair.public_key).decode().rstrip("=")

    def sign(self, data: bytes) -> bytes:
        return bytes(self._pair.sign(data))


def new_seed(kind: Literal["operator", "account", "user"]) -> bytes:
    return bytes(nkeys.encode_seed(os.urandom(32), _PREFIXES[kind]))


def new_user_key() -> NKey:
    """Make the key of one connection; it stays in memory."""
    return NKey(new_seed("user"))
