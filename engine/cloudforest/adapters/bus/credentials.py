"""NATS operator, account and user JWTs, which limit who may use which subjects.

A NATS JWT is header.claims.signature in base64url without padding, signed with ed25519
(https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from cloudforest.adapters.bus import protocol
from cloudforest.base.files import read_or_create
from cloudforest.base.nkey import NKey, new_seed
from cloudforest.model.identity import BusAccess

AGENT_LIFETIME = timedelta(minutes=30)

_HEADER = {"typ": "JWT", "alg": "ed25519-nkey"}
_UNLIMITED = {"subs": -1, "data": -1, "payload": -1}
_ACCOUNT_LIMITS = {
    **_UNLIMITED,
    "imports": -1,
    "exports": -1,
    "wildcards": True,
    "conn": -1,
    "leaf": -1,
}


@dataclass(frozen=True)
class BusEndpoint:
    """Where the bus is; `ca` is the PEM text of the CA of its certificate."""

    urls: tuple[str, ...]
    ca: str


def _user_claims(*, publish: list[str], subscribe: list[str]) -> dict[str, Any]:
    subjects = {"pub": {"allow": publish}, "sub": {"allow": subscribe}}
    return {**subjects, **_UNLIMITED, "type": "user", "version": 2}


def _encode_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _encode_json(value: dict[str, Any]) -> str:
    return _encode_base64url(msgspec.json.encode(value))


def _sign_jwt(
    issuer: NKey,
    subject: str,
    claims: dict[str, Any],
    *,
    now: datetime,
    expires: datetime | None = None,
) -> str:
    body: dict[str, Any] = {
        "iat": int(now.timestamp()),
        "iss": issuer.public_key,
        "sub": subject,
        "name": subject,
        "nats": claims,
    }
    if expires is not None:
        body["exp"] = int(expires.timestamp())
    digest = hashlib.sha256(msgspec.json.encode(body)).digest()
    body["jti"] = base64.b32encode(digest).decode().rstrip("=")
    signed = f"{_encode_json(_HEADER)}.{_encode_json(body)}"
    return f"{signed}.{_encode_base64url(issuer.sign(signed.encode()))}"


@dataclass(frozen=True)
class BusAuthority:
    """Mints every credential of one bus, which has its own operator and account."""

    operator: NKey
    account: NKey

    def operator_jwt(self, now: datetime) -> str:
        claims = {"type": "operator", "version": 2}
        return _sign_jwt(self.operator, self.operator.public_key, claims, now=now)

    def account_jwt(self, now: datetime) -> str:
        claims = {"limits": _ACCOUNT_LIMITS, "type": "account", "version": 2}
        return _sign_jwt(self.operator, self.account.public_key, claims, now=now)

    def mint_agent_access(
        self,
        agent: str,
        domains: Sequence[str],
        *,
        nkey: str,
        endpoint: BusEndpoint,
        now: datetime,
        lifetime: timedelta = AGENT_LIFETIME,
    ) -> BusAccess:
        """Let the holder of `nkey` act as this agent, for its domains only."""
        expires = now + lifetime
        hints = map(protocol.change_hint_subject, domains)
        requests = map(protocol.request_subject, domains)
        claims = _user_claims(
            publish=[f"cf.ans.{agent}.>", *hints],
            subscribe=[
                *(f"{each} {protocol.QUEUE_GROUP}" for each in requests),
                f"{protocol.inbox_subject(agent)}.>",
            ],
        )
        token = _sign_jwt(self.account, nkey, claims, now=now, expires=expires)
        return BusAccess(urls=endpoint.urls, ca=endpoint.ca, jwt=token, expires=expires)

    def mint_service_access(
        self, nkey: str, *, endpoint: BusEndpoint, now: datetime
    ) -> BusAccess:
        """Let the holder of `nkey` ask every agent; the key stays in this process."""
        claims = _user_claims(
            publish=["cf.req.*", "_INBOX.>"],
            subscribe=["cf.ans.>", protocol.ALL_CHANGE_HINTS],
        )
        token = _sign_jwt(self.account, nkey, claims, now=now)
        never = datetime.max.replace(tzinfo=UTC)
        return BusAccess(urls=endpoint.urls, ca=endpoint.ca, jwt=token, expires=never)


def open_bus_authority(keys: Path) -> BusAuthority:
    """Read the seeds of the operator and the account; create missing ones (0600)."""
    operator, account = (
        NKey(read_or_create(keys / f"bus-{kind}.seed", partial(new_seed, kind)))
        for kind in ("operator", "account")
    )
    return BusAuthority(operator, account)
