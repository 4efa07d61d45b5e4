"""From a registered agent to one with a certificate, by a token used once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import msgspec

from cloudforest.base.clock import Clock
from cloudforest.base.errors import Misconfigured, Refused, Unauthenticated
from cloudforest.hybrid.authority import Authority, pem_of
from cloudforest.hybrid.operators import hash_of
from cloudforest.model.enrolment import EnrolmentToken, decode_token
from cloudforest.model.identity import AgentRecord, EnrolRequest, EnrolResponse
from cloudforest.model.ports import IdentityStore

TOKEN_LIFETIME = timedelta(hours=1)


@dataclass(frozen=True)
class Enrolment:
    store: IdentityStore
    authority: Authority
    clock: Clock

    async def issue_token(self, name: str) -> str:
        """Return a token valid once, for an hour; it replaces an earlier one."""
        record = await self._named(name)
        secret = secrets.token_urlsafe(32)
        await self.store.save_token(
            _token_hash(record.id, secret), record.id, self.clock() + TOKEN_LIFETIME
        )
        return EnrolmentToken(
            agent=record.id, secret=secret, fingerprint=self.authority.fingerprint
        ).encode()

    async def _named(self, name: str) -> AgentRecord:
        for record in await self.store.agents():
            if record.name == name:
                return record
        raise Refused(
            f"No agent {name} is registered; declare it in the tree and"
            " run `cloudforest apply`."
        )

    async def enrol(self, request: EnrolRequest) -> EnrolResponse:
        """Redeem the token and certify the agent's key."""
        now = self.clock()
        agent = await self._redeemed(request.token, now)
        certificate = self.authority.sign_agent(request.csr, agent, now)
        certified = partial(
            msgspec.structs.replace,
            certificate=pem_of(certificate),
            certificate_expires=certificate.not_valid_after_utc,
        )
        if await self.store.update_agent(agent, certified) is None:
            raise Unauthenticated("The agent was removed; it can't be enrolled.")
        return EnrolResponse(
            agent=agent, certificate=pem_of(certificate), ca=self.authority.pem
        )

    async def _redeemed(self, text: str, now: datetime) -> str:
        try:
            token = decode_token(text)
        except Misconfigured as error:
            raise Unauthenticated(str(error)) from None
        agent = await self.store.redeem_token(
            _token_hash(token.agent, token.secret), now
        )
        if agent is None:
            raise Unauthenticated(
                "The enrolment token is not valid: it was used, is older than an hour,"
                " or was replaced. Get a new one with `cloudforest agent token NAME`."
            )
        return agent


def _token_hash(agent: str, secret: str) -> str:
    return hash_of(f"{agent}.{secret}")
