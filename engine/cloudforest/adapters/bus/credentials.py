"""Who may say and hear what on the bus: NATS operator, account and user JWTs.

A NATS JWT is header.claims.signature in base64url without padding, signed with ed25519
(https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from cloudforest.adapters.bus import protocol
from cloudforest.base.files import create_once
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
class Endpoint:
    """Where the bus is; `ca` is the PEM of the authority of its certificate."""

    urls: tuple[str, ...]
    ca: str


@dataclass(frozen=True)
class BusAuthority:
    """Mints every credential of one bus. Operator and account are its own."""

    operator: NKey
    account: NKey

    def operator_jwt(self, now: datetime) -> str:
        claims = {"type": "operator", "version": 2}
        return _sign(self.operator, self.operator.public, claims, now=now)

    def account_jwt(self, now: datetime) -> str:
        claims = {"limits": _ACCOUNT_LIMITS, "type": "account", "version": 2}
        return _sign(self.operator, self.account.public, claims, now=now)

    def agent_access(
        self,
        agent: str,
        domains: Sequence[str],
        *,
        nkey: str,
        endpoint: Endpoint,
        now: datetime,
        lifetime: timedelta = AGENT_LIFETIME,
    ) -> BusAccess:
        """Let the holder of `nkey` speak as this agent, and of its domains only."""
        expires = now + lifetime
        hears = [f"{protocol.requests(each)} {protocol.QUEUE}" for each in domains]
        claims = _user(
            publish=[protocol.answers_of(agent), *map(protocol.hints, domains)],
            subscribe=[*hears, f"{protocol.inbox(agent)}.>"],
        )
        token = _sign(self.account, nkey, claims, now=now, expires=expires)
        return BusAccess(urls=endpoint.urls, ca=endpoint.ca, jwt=token, expires=expires)

    def service_access(
        self, nkey: str, *, endpoint: Endpoint, now: datetime
    ) -> BusAccess:
        """Let the holder of `nkey`, which never leaves this process, ask everybody."""
        claims = _user(
            publish=["cf.req.*", "_INBOX.>"],
            subscribe=["cf.ans.>", protocol.ALL_HINTS],
        )
        token = _sign(self.account, nkey, claims, now=now)
        return BusAccess(
            urls=endpoint.urls,
            ca=endpoint.ca,
            jwt=token,
            expires=datetime.max.replace(tzinfo=UTC),
        )


def bus_authority(keys: Path) -> BusAuthority:
    """Read the operator's and the account's seeds, or make them (0600)."""
    return BusAuthority(
        operator=NKey(
            create_once(keys / "bus-operator.seed", lambda: new_seed("operator"))
        ),
        account=NKey(
            create_once(keys / "bus-account.seed", lambda: new_seed("account"))
        ),
    )


def _user(*, publish: list[str], subscribe: list[str]) -> dict[str, Any]:
    return {
        "pub": {"allow": publish},
        "sub": {"allow": subscribe},
        **_UNLIMITED,
        "type": "user",
        "version": 2,
    }


def _sign(
    issuer: NKey,
    subject: str,
    claims: dict[str, Any],
    *,
    now: datetime,
    expires: datetime | None = None,
) -> str:
    body: dict[str, Any] = {
        "iat": int(now.timestamp()),
        "iss": issuer.public,
        "sub": subject,
        "name": subject,
        "nats": claims,
    }
    if expires is not None:
        body["exp"] = int(expires.timestamp())
    digest = hashlib.sha256(msgspec.json.encode(body)).digest()
    body["jti"] = base64.b32encode(digest).decode().rstrip("=")
    signed = f"{_part(_HEADER)}.{_part(body)}"
    return f"{signed}.{_text(issuer.sign(signed.encode()))}"


def _part(value: dict[str, Any]) -> str:
    return _text(msgspec.json.encode(value))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
