"""Bootstrap: an agent proves its identity and gets its configuration and bus access.

The time of its last bootstrap gives the state of an agent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from msgspec.structs import replace

from cloudforest.base.clock import Clock
from cloudforest.base.errors import Refused, Unauthenticated
from cloudforest.base.inputs import make_printable
from cloudforest.hybrid.authority import CertificateAuthority, certificate_pem
from cloudforest.hybrid.enrolment import verify_assertion
from cloudforest.model.identity import (
    AgentRecord,
    AgentState,
    BootstrapRequest,
    BootstrapResponse,
    BusAccess,
)
from cloudforest.model.ports.identity import IdentityStore, RegistrationStore
from cloudforest.model.registration import Agent, Domain, SecretReference

INACTIVE_AFTER = timedelta(hours=1)
UNLISTED_AFTER = timedelta(days=10)
MintAccess = Callable[[AgentRecord, str, datetime], BusAccess]
"""Makes bus access from the agent, its public NKEY, and the current time."""


@dataclass(frozen=True)
class BootstrapService:
    store: IdentityStore
    registrations: RegistrationStore
    authority: CertificateAuthority
    mint_access: MintAccess
    clock: Clock

    async def bootstrap(self, request: BootstrapRequest) -> BootstrapResponse:
        """Verify the identity, record time and version; return the configuration."""
        now = self.clock()
        proof = verify_assertion(request.assertion, self.authority, now)
        certificate = proof.certificate
        record = await self._find_record(proof.agent, certificate)
        if not await self.store.remember_jti(proof.jti, proof.expires, now):
            raise Unauthenticated("The assertion was used before; each is valid once.")
        agent, domains = await self._read_configuration(record)
        renewed = self._renew_certificate(request.csr, certificate, record.id, now)

        def update(stored: AgentRecord) -> AgentRecord:
            return replace(
                _with_certificate(stored, renewed),
                last_bootstrap=now,
                version=make_printable(request.version),
                troubles=_select_troubles(request.troubles, agent.domains),
                domains=agent.domains,
            )

        updated = await self.store.update_agent(record.id, update)
        if updated is None:
            raise Refused(f'The agent "{record.name}" is no longer registered.')
        return BootstrapResponse(
            agent=agent,
            domains=tuple(_without_secrets(each) for each in domains),
            credentials={
                each.name: f"{each.name}/bind"
                for each in domains
                if each.source.active_directory is not None
            },
            bus=self.mint_access(updated, request.nkey, now),
            certificate=certificate_pem(renewed) if renewed else None,
        )

    def _renew_certificate(
        self, csr: str | None, current: x509.Certificate, agent: str, now: datetime
    ) -> x509.Certificate | None:
        if csr is None:
            return None
        renewed = self.authority.issue_agent_certificate(csr, agent, now)
        # The assertion does not cover the signing request. A proxy between agent and
        # control plane could have replaced it with one for another key.
        if renewed.public_key() != current.public_key():
            raise Refused(
                "A certificate is renewed only for the same key. Enrol again."
            )
        return renewed

    async def _find_record(
        self, agent: str, certificate: x509.Certificate
    ) -> AgentRecord:
        for record in await self.store.list_agents():
            if record.id == agent and _is_for_same_key(record.certificate, certificate):
                return record
        raise Unauthenticated(
            "The certificate of the agent is no longer valid. The agent was removed, "
            "or enrolled again elsewhere."
        )

    async def _read_configuration(
        self, record: AgentRecord
    ) -> tuple[Agent, tuple[Domain, ...]]:
        _, registration = await self.registrations.load_registration()
        agents = registration.agents if registration else ()
        agent = next((each for each in agents if each.name == record.name), None)
        if registration is None or agent is None:
            raise Refused(f'The agent "{record.name}" is no longer registered.')
        known = registration.domains_by_name()
        return agent, tuple(known[name] for name in agent.domains if name in known)


def _is_for_same_key(stored: str | None, shown: x509.Certificate) -> bool:
    # By key, not by certificate: the answer with a renewed one may have been lost.
    if stored is None:
        return False
    certificate = x509.load_pem_x509_certificate(stored.encode())
    return certificate.public_key() == shown.public_key()


def _with_certificate(
    record: AgentRecord, renewed: x509.Certificate | None
) -> AgentRecord:
    # Meanwhile the agent may have been enrolled again, with another key.
    if renewed is None or not _is_for_same_key(record.certificate, renewed):
        return record
    return replace(
        record,
        certificate=certificate_pem(renewed),
        certificate_expires=renewed.not_valid_after_utc,
    )


def _without_secrets(domain: Domain) -> Domain:
    directory = domain.source.active_directory
    if directory is None:
        return domain
    bind = replace(directory.bind, password=SecretReference())
    source = replace(domain.source, active_directory=replace(directory, bind=bind))
    return replace(domain, source=source)


def _select_troubles(
    troubles: Mapping[str, str] | None, domains: Collection[str]
) -> dict[str, str] | None:
    """Return what the agent says of the domains that it reads, for people."""
    if troubles is None:
        return None
    return {
        name: make_printable(why) for name, why in troubles.items() if name in domains
    }


def agent_state(record: AgentRecord, now: datetime) -> AgentState:
    if record.last_bootstrap is None:
        return "pending"
    if now - record.last_bootstrap > INACTIVE_AFTER:
        return "inactive"
    return "active"


def select_listed(records: Iterable[AgentRecord], now: datetime) -> list[AgentRecord]:
    """Leave out agents that did not bootstrap for ten days."""
    return [
        each
        for each in records
        if each.last_bootstrap is None or now - each.last_bootstrap <= UNLISTED_AFTER
    ]
