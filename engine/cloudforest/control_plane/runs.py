"""Opens the context of a job and its target, for a cycle, a plan or an explanation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
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
from cloudforest.base.errors import CloudforestError, Unavailable
from cloudforest.base.secrets import Secret, read_secret
from cloudforest.model.cycles import Cycle
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.identity import RegistrationStore
from cloudforest.model.ports.store import ProvisioningStore
from cloudforest.model.registration import Auth, OAuth2, Registration, Target
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
    folder: Path
    tokens: dict[str, TokenCache] = field(default_factory=dict)

    def open(self, target: Target) -> ScimTarget:
        if target.scim == BUILT_IN:
            return ScimTarget(target, self.directory_url, self.directory_token)
        credential = self._make_credential(target.name, target.auth or Auth())
        return ScimTarget(target, target.scim, credential)

    def _make_credential(self, name: str, auth: Auth) -> Credential:
        if auth.bearer is not None:
            return read_secret(auth.bearer, self.folder)
        if (basic := auth.basic) is not None:
            password = read_secret(basic.password, self.folder)
            return BasicCredential(basic.username, password)
        if auth.oauth2 is not None:
            return self._get_tokens(name, auth.oauth2)
        if (mtls := auth.mtls) is not None:
            key = read_secret(mtls.key, self.folder)
            return ClientCertificate(self.folder / mtls.certificate, key)
        return None

    def _get_tokens(self, name: str, oauth2: OAuth2) -> TokenCache:
        """Return the cached tokens, unless the credential has changed."""
        credentials = ClientCredentials(
            oauth2.token_url,
            oauth2.client_id,
            read_secret(oauth2.client_secret, self.folder),
            oauth2.scope,
        )
        known = self.tokens.get(name)
        if known is None or not known.credentials.is_same_as(credentials):
            known = self.tokens[name] = TokenCache(name, credentials)
        return known


@dataclass(frozen=True)
class JobRunner:
    """Opens and runs jobs; without a `bus` no agent can be asked."""

    registrations: RegistrationStore
    store: ProvisioningStore
    bus: AgentBus | None
    targets: TargetOpener
    clock: Clock
    after_cycle: Callable[[], None] = lambda: None
    locks: JobLocks = field(default_factory=JobLocks)

    async def read_registration(self) -> Registration | None:
        return (await self.registrations.load_registration())[1]

    async def require_registration(self) -> Registration:
        """Return the registration; raise Unavailable before the first `apply`."""
        registration = await self.read_registration()
        if registration is None:
            raise Unavailable("Nothing is registered yet. Run `cloudforest apply`.")
        return registration

    def require_bus(self) -> AgentBus:
        if self.bus is None:
            raise Unavailable(
                "This control plane has no service bus, so no agent can be asked. "
                "Run `cloudforest serve`."
            )
        return self.bus

    @asynccontextmanager
    async def open_context(
        self,
        name: str,
        registration: Registration | None = None,
        progress: Progress = ignore_progress,
        *,
        bus: AgentBus | None = None,
    ) -> AsyncIterator[CycleContext]:
        """Open the target of a job while the context is open.

        Arguments replace the stored registration and our bus.
        """
        registration = registration or await self.require_registration()
        bus = bus or self.require_bus()
        job, *_ = get_registered_job(registration, name)
        registered = registration.find_target(job.target)
        assert registered is not None  # noqa: S101 - or the job would be refused
        target = self.targets.open(registered)
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
        self,
        name: str,
        registration: Registration | None = None,
        progress: Progress = ignore_progress,
    ) -> Cycle:
        """Run one cycle; record one that cannot start as failed."""
        registration = registration or await self.require_registration()
        self.require_bus()
        job, *_ = get_registered_job(registration, name)
        opening = self.open_context(name, registration, progress)
        async with AsyncExitStack() as stack:
            try:
                context = await stack.enter_async_context(opening)
            except CloudforestError as error:
                cycle = await record_failure(
                    job, registration, error, store=self.store, clock=self.clock
                )
            else:
                cycle = await run_cycle(context, registration, self.locks)
        self.after_cycle()
        return cycle
