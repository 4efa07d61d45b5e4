"""Secrets by reference, resolved only in the process that needs them; TLS trust."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Protocol

from cloudforest.base.errors import Misconfigured
from cloudforest.base.files import read_bounded


class Secret:
    """A value that prints as `(secret)`, unless `reveal` is called."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "(secret)"


def _decode_secret(raw: bytes, source: str) -> Secret:
    try:
        return Secret(raw.decode())
    except UnicodeDecodeError:
        # Not chained: that error contains the secret.
        raise Misconfigured(
            f"The {source} is not UTF-8 text. Set the secret again."
        ) from None


class SecretReference(Protocol):
    """See `model.registration.SecretReference`."""

    @property
    def env(self) -> str | None: ...

    @property
    def file(self) -> str | None: ...


def read_secret(reference: SecretReference, folder: Path = Path()) -> Secret:
    """Resolve `{env: NAME}` or `{file: PATH}`; PATH is relative to `folder`."""
    if (name := reference.env) is not None:
        if name not in os.environ:
            raise Misconfigured(
                f"The environment variable {name} is not set. Set it and try again."
            )
        value = os.fsencode(os.environ[name])
        return _decode_secret(value, f"environment variable {name}")
    path = folder / (reference.file or "")
    try:
        return _decode_secret(read_bounded(path).rstrip(b"\n"), f'secret file "{path}"')
    except OSError as error:
        raise Misconfigured(
            f'Cannot read the secret file "{path}": {error.strerror}.'
        ) from error


def verifying_tls_context(ca: str | None, *, document_key: str) -> ssl.SSLContext:
    """Return a context that verifies by a PEM file; None: by the system's CAs.

    `document_key` is the key of the document that names the file, for the message.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f'Cannot use the CA file "{ca}": {error.strerror or error}. Name a PEM '
            f"file in `{document_key}`."
        ) from error
