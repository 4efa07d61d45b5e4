"""A hybrid identity service with a store in memory and a manual clock."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.clock import ManualClock

from cloudforest.hybrid.authority import CertificateAuthority, open_authority
from cloudforest.hybrid.bootstrap import BootstrapService
from cloudforest.hybrid.enrolment import EnrolmentService
from cloudforest.hybrid.operators import Operators
from cloudforest.model.identity import AgentRecord, BusAccess, Operator
from cloudforest.model.registration import (
    ActiveDirectory,
    Agent,
    Bind,
    Domain,
    Forest,
    Registration,
    SecretReference,
    Source,
    Tenant,
    Tls,
)

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@dataclass
class MemoryStore:
    """Registrations and identities in dictionaries."""

    registered: Registration | None = None
    records: dict[str, AgentRecord] = field(default_factory=dict)
    tokens: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    jtis: set[str] = field(default_factory=set)
    operators: dict[str, Operator] = field(default_factory=dict)
    list_audit_records: list[dict[str, object]] = field(default_factory=list)

    async def load_registration(self):
        return 1, self.registered

    async def register(self, registration, *, base, operator, now):
        raise NotImplementedError

    async def list_agents(self):
        return list(self.records.values())

    async def update_agent(self, agent, change):
        if agent not in self.records:
            return None
        self.records[agent] = change(self.records[agent])
        return self.records[agent]

    async def save_token(self, token_hash, agent, expires):
        kept = {k: v for k, v in self.tokens.items() if v[0] != agent}
        self.tokens = {**kept, token_hash: (agent, expires)}

    async def redeem_token(self, token_hash, now):
        agent, expires = self.tokens.pop(token_hash, (None, now))
        return agent if expires > now else None

    async def remember_jti(self, jti, expires, now):
        new = jti not in self.jtis
        self.jtis.add(jti)
        return new and expires > now

    async def save_operator(self, operator, token_hash):
        self.operators[token_hash] = operator

    async def find_operator(self, token_hash):
        return self.operators.get(token_hash)

    async def save_audit_record(self, record):
        self.list_audit_records.append(record)


@dataclass
class Hybrid:
    store: MemoryStore
    clock: ManualClock
    authority: CertificateAuthority

    @property
    def enrolment(self) -> EnrolmentService:
        return EnrolmentService(self.store, self.authority, self.clock)

    @property
    def operators(self) -> Operators:
        return Operators(self.store, self.clock)

    @property
    def bootstrap(self) -> BootstrapService:
        return BootstrapService(
            self.store, self.store, self.authority, mint_access=mint, clock=self.clock
        )


def mint(record: AgentRecord, nkey: str, now: datetime) -> BusAccess:
    return BusAccess(
        urls=("tls://bus",),
        ca="ca",
        jwt=f"{record.id} {','.join(record.domains)} {nkey}",
        expires=now + timedelta(minutes=30),
    )


def active_directory(name: str) -> Domain:
    directory = ActiveDirectory(
        controllers=(f"ldaps://dc1.{name}",),
        tls=Tls(ca="certs/ca.pem"),
        bind=Bind(username="svc", password=SecretReference(env="CONTOSO_PASSWORD")),
    )
    return Domain(name=name, source=Source(active_directory=directory))


def tree(**agents: tuple[str, ...]) -> Registration:
    domains = (
        active_directory("contoso.test"),
        Domain(name="lab.test", source=Source(ldif="data/lab.ldif")),
    )
    return Registration(
        tenant=Tenant(name="contoso", scenario="new-hybrid-customer"),
        forests=(Forest(name="contoso", domains=domains),),
        agents=tuple(
            Agent(name=name, domains=served, run="remote")
            for name, served in agents.items()
        ),
    )


def new_authority(now: datetime) -> CertificateAuthority:
    with tempfile.TemporaryDirectory() as keys:
        return open_authority(Path(keys), now)


def with_an_agent() -> Hybrid:
    record = AgentRecord(id="a1", name="sync01", domains=("contoso.test",))
    store = MemoryStore(tree(sync01=record.domains), {record.id: record})
    return Hybrid(store, ManualClock(NOW), new_authority(NOW))


def signing_request(key=None, name="anyone") -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return pem.decode()


async def only_record(hybrid):
    (record,) = await hybrid.store.list_agents()
    return record
