"""How we prove ourselves to a target."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cloudforest.base.secrets import Secret


@dataclass(frozen=True)
class BasicCredential:
    username: str
    password: Secret


Credential = Secret | BasicCredential | None
"""A bearer token, a username with its password, or nothing."""


def authorization(credential: Credential) -> dict[str, str]:
    """Return the headers that carry the credential."""
    match credential:
        case Secret():
            return {"Authorization": f"Bearer {credential.reveal()}"}
        case BasicCredential(username, password):
            pair = f"{username}:{password.reveal()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case None:
            return {}
