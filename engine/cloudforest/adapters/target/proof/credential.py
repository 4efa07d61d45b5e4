"""What a request carries to prove who sends it, and which connection carries it."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from cloudforest.adapters.target.proof.certificate import ClientCertificate, presenting
from cloudforest.adapters.target.proof.tokens import Tokens
from cloudforest.base.secrets import Secret


@dataclass(frozen=True)
class BasicCredential:
    username: str
    password: Secret


Credential = Secret | BasicCredential | Tokens | ClientCertificate | None
"""A bearer token, a username with its password, tokens that are asked for, a
certificate, or nothing."""


async def authorization(credential: Credential) -> dict[str, str]:
    """Return the headers that carry the credential; see `Tokens.current`."""
    match credential:
        case Secret():
            return _bearer(credential)
        case BasicCredential(username, password):
            pair = f"{username}:{password.reveal()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case Tokens():
            return _bearer(await credential.current())
        case ClientCertificate() | None:
            return {}


def renewable(credential: Credential, refused: Mapping[str, str]) -> bool:
    """Tell whether others can be had in place of these headers, which are forgotten."""
    if not isinstance(credential, Tokens):
        return False
    credential.forget(lambda token: _bearer(token) == refused)
    return True


def tls_of(credential: Credential) -> ssl.SSLContext | bool:
    """Return what aiohttp takes: our certificate to show, or nothing of our own."""
    if isinstance(credential, ClientCertificate):
        return presenting(credential)
    return True


def _bearer(token: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.reveal()}"}
