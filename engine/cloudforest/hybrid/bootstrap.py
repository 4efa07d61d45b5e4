"""Bootstrap: an agent proves itself and learns its configuration and its bus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import msgspec
from cryptography import x509

from cloudforest.base.clock import Clock
from cloudforest.base.errors import Refused
from cloudforest.hybrid.assertions import verify
from cloudforest.hybrid.authority import Authority, pem_of
from cloudforest.hybrid.operators import Unauthenticated
from cloudforest.model.identity import (
    AgentRecord,
    BootstrapRequest,
    BootstrapResponse,
    BusAccess,
)
from cloudforest.model.ports import IdentityStore, RegistrationStore
from cloudforest.model.registration import Agent, Domain, Registration, SecretReference

MintAccess = Callable[[AgentRecord, str, datetime], BusAccess]
"""Makes bus access for an agent, the public NKEY it sent, and the time it is."""


@dataclass(frozen=True)
class Bootstrap:
    store: IdentityStore
    registrations: RegistrationStore
    authority: Authority
    mint: MintAccess
    clock: Clock

    async def bootstrap(self, request: BootstrapRequest) -> BootstrapResponse:
        """Validate the identity, record time and version, return what is new."""
        now = self.clock()
        record = await self._proven(request.assertion, now)
        agent, domains = await self._configuration(record)
        seen = partial(
            msgspec.structs.replace,
            last_bootstrap=now,
            version=request.version,
            troubles=request.troubles,
            domains=agent.domains,
        )
        updated = await self.store.update_agent(record.id, seen)
        if updated is None:
            raise Refused(f"The agent {record.name} is not registered any more.")
        return BootstrapResponse(
            agent=agent,
            domains=tuple(_without_secrets(each) for each in domains),
            credentials=_credentials(domains),
            bus=self.mint(updated, request.nkey, now),
        )

    async def _proven(self, assertion: str, now: datetime) -> AgentRecord:
        proof = verify(assertion, self.authority, now)
        record = await self._record(proof.agent, proof.certificate)
        if not await self.store.remember_jti(proof.jti, proof.expires, now):
            raise Unauthenticated("The assertion was used before; each is good once.")
        return record

    async def _record(self, agent: str, certificate: x509.Certificate) -> AgentRecord:
        for record in await self.store.agents():
            if record.id == agent and record.certificate == pem_of(certificate):
                return record
        raise Unauthenticated(
            "The agent's certificate is no longer valid: the agent was removed, or it"
            " was enrolled again elsewhere."
        )

    async def _configuration(
        self, record: AgentRecord
    ) -> tuple[Agent, tuple[Domain, ...]]:
        _, registration = await self.registrations.registration()
        agent = _agent(registration, record.name)
        if registration is None or agent is None:
            raise Refused(f"The agent {record.name} is not registered any more.")
        known = registration.domains()
        return agent, tuple(known[name] for name in agent.domains if name in known)


def _agent(registration: Registration | None, name: str) -> Agent | None:
    agents = registration.agents if registration else ()
    return next((each for each in agents if each.name == name), None)


def _without_secrets(domain: Domain) -> Domain:
    directory = domain.source.active_directory
    if directory is None:
        return domain
    replace = msgspec.structs.replace
    bind = replace(directory.bind, password=SecretReference())
    source = replace(domain.source, active_directory=replace(directory, bind=bind))
    return replace(domain, source=source)


def _credentials(domains: tuple[Domain, ...]) -> dict[str, str]:
    return {
        domain.name: f"{domain.name}/bind"
        for domain in domains
        if domain.source.active_directory is not None
    }
