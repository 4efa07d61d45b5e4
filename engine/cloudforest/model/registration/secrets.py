"""Secrets by reference, and what is proved with them."""

from __future__ import annotations

from cloudforest.model.value import Value


class SecretReference(Value, frozen=True):
    """Where a secret is found by the process that needs it: exactly one is set."""

    env: str | None = None
    file: str | None = None


class BasicAuth(Value, frozen=True):
    username: str
    password: SecretReference
