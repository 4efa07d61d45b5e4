"""What an agent's bus credential allows, and for how long."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

from cloudforest.adapters.bus.credentials import BusAuthority, BusEndpoint
from cloudforest.base.nkey import NKey, new_seed, new_user_key

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def minted(*domains: str):
    authority = BusAuthority(NKey(new_seed("operator")), NKey(new_seed("account")))
    return authority.mint_agent_access(
        "a1",
        domains,
        nkey=new_user_key().public_key,
        endpoint=BusEndpoint(urls=("tls://bus:4222",), ca="CA"),
        now=NOW,
    )


def claims_of(jwt: str):
    body = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_agent_keeps_the_bus_for_30_minutes():
    access = minted("contoso.com")
    assert access.expires == NOW + timedelta(minutes=30)
    assert claims_of(access.jwt)["exp"] == access.expires.timestamp()


def test_agent_may_subscribe_to_its_own_domains_only():
    def subjects(*domains: str) -> set[str]:
        return set(claims_of(minted(*domains).jwt)["nats"]["sub"]["allow"])

    one, two = subjects("contoso.com"), subjects("contoso.com", "fabrikam.com")
    assert len(two - one) == 1
    assert not any(">" in each or "*" in each for each in two - one)
