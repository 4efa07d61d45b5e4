"""Who we are to a controller, and how it proves itself to us."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from cloudforest.base.errors import Misconfigured
from cloudforest.base.secrets import Secret


@dataclass(frozen=True)
class Account:
    username: str
    password: Secret


@dataclass(frozen=True)
class Trust:
    """How a controller proves itself: `ca` is a PEM file, None the machine's own."""

    ca: str | None
    server_name: str | None
    verify: bool

    def context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(
                f"The file of certificate authorities {self.ca} can't be used "
                f"({error.strerror or error}). Name a PEM file in tls.ca."
            ) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
