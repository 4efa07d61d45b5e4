"""Whom we believe over TLS."""

from __future__ import annotations

import ssl

from cloudforest.base.errors import Misconfigured


def trusting(ca: str | None, *, key: str) -> ssl.SSLContext:
    """Return a context that verifies by a PEM file; None: the machine's own.

    `key` is where a document names the file, for the message of Misconfigured.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            f"The file of certificate authorities {ca} can't be used "
            f"({error.strerror or error}). Name a PEM file in {key}."
        ) from error
