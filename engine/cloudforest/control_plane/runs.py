"""Opens the context of a job and its target, for a cycle, a plan or an explanation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cloudforest.adapters.target.credentials import (
    BasicCredential,
    ClientCertificate,
    ClientCredentials,
    Credential,
    TokenCache,
)
from cloudforest.adapters.target.scim import ScimTarget
from cloudforest.base.clock import Clock
from cloudforest.base.errors import CloudforestError, Misconfigured
from cloudforest.base.secrets import Secret, read_secret
from cloudforest.model.cycles import Cycle
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Auth, OAuth2, Registration, SecretReference
from cloudforest.provisioning.cycle import record_failure, run_cycle
from cloudforest.provisioning.run import (
    CycleContext,
    JobLocks,
    Progress,
    get_registered_job,
    ignore_progress,
)

BUILT_IN = "embedded"


@dataclass(frozen=True)
class TargetOpener:
    """Opens targets with their credentials, which are resolved in this process only.

    `directory_url` and `directory_token` belong to our built-in directory. Files are
    relative to `folder`, the tree. Files and variables are read again each time a
    target is opened; `tokens` are kept by target name.
    """

    directory_url: str
    directory_token: Secret
    environment: Mapping[str, str]
    folder: Path
    tokens: dict[str, TokenCache] = field(default_factory=dict)

    def open(self, registration: Registration, name: str) -> ScimTarget:
        target = registration.find_target(name)
        if target is None:
            raise Misconfigured(
                f'Unknown target "{name}". Declare it and run `cloudforest apply`.'
            )
        if target.scim == BUILT_IN:
            return ScimTarget(target, self.directory_url, self.directory_token)
        return ScimTarget(target, target.scim, self._make_credential(name, target.auth))

    def _make_credential(self, name: str, auth: Auth | None) -> Credential:
        match auth:
            case Auth(bearer=SecretReference() as reference):
                return self._read_secret(reference)
            case Auth(basic=basic) if basic is not None:
                return BasicCredential(
                    basic.username, self._read_secret(basic.password)
                )
            case Auth(oauth2=OAuth2() as oauth2):
                return self._get_tokens(name, oauth2)
            case Auth(mtls=mtls) if mtls is not None:
                certificate = self.folder / mtls.certificate
                return ClientCertificate(certificate, self._read_secret(mtls.key))
            case _:
                return None

    def _get_tokens(self, name: str, oauth2: OAuth2) -> TokenCache:
        """Return the cached tokens, unless the credential has changed."""
        credentials = ClientCredentials(
            oauth2.token_url,
            oauth2.client_id,
            self._read_secret(oauth2.client_secret),
            oauth2.scope,
        )
        known = self.tokens.get(name)
        if known is None or not known.credentials.is_same_as(credentials):
            known = self.tokens[name] = TokenCache(name, credentials)
        return known

    def _read_secret(self, reference: SecretReference) -> Secret:
        return read_secret(
            env=reference.env,
            file=reference.file,
            environment=self.environment,
            folder=self.folder,
        )


@dataclass(frozen=True)
class JobRunner:
    store: ProvisioningStore
    targets: TargetOpener
    clock: Clock
    locks: JobLocks = field(default_factory=JobLocks)

    @asynccontextmanager
    async def open_context(
        self,
        name: str,
        registration: Registration,
        bus: AgentBus,
        progress: Progress = ignore_progress,
    ) -> AsyncIterator[CycleContext]:
        """Open the target of a job while the context is open."""
        job, _, _ = get_registered_job(registration, name)
        target = self.targets.open(registration, job.target)
        try:
            yield CycleContext.open(
                registration,
                name,
                store=self.store,
                bus=bus,
                target=target,
                clock=self.clock,
                report=progress,
            )
        finally:
            await target.close()

    @contextmanager
    def lock_jobs(self, jobs: Iterable[str]) -> Iterator[None]:
        """Keep the jobs from starting a cycle; raise Busy if one is running."""
        with ExitStack() as stack:
            for job in jobs:
                stack.enter_context(self.locks.hold_job(job))
            yield

    async def run_cycle(
        self, name: str, registration: Registration, bus: AgentBus, progress: Progress
    ) -> Cycle:
        """Run one cycle; record one that cannot start as failed."""
        job, _, _ = get_registered_job(registration, name)
        async with AsyncExitStack() as stack:
            try:
                context = await stack.enter_async_context(
                    self.open_context(name, registration, bus, progress)
                )
            except CloudforestError as error:
                return await record_failure(
                    job, registration, error, store=self.store, clock=self.clock
                )
            return await run_cycle(context, registration, self.locks)
