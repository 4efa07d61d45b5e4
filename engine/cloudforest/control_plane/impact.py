"""What the next cycles would do, for plans: evaluated, and not written.

What a tree may have read for those who may not apply it: what is registered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError, Refused, Unavailable
from cloudforest.base.values import digest
from cloudforest.control_plane import shapes
from cloudforest.control_plane.preview import Previews
from cloudforest.control_plane.runs import Runs
from cloudforest.model.identity import Operator, permits
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.identity import IdentityStore, RegistrationStore
from cloudforest.model.program import JobProgram
from cloudforest.model.registration import Job, Registration, Target
from cloudforest.model.renames import renames, under_former_names
from cloudforest.plan.plan import Foreseen, JobImpact
from cloudforest.plan.warnings import Consequence, Removal, removals
from cloudforest.provisioning.explanation.scope import shown_attributes
from cloudforest.provisioning.impact import explain_foreseen, impact

_ANOTHER_TARGET = "A target differs from the registered one; role `apply` sees."
_ANOTHER_ATTRIBUTE = (
    "What is registered of the job {} does not show {}; role `apply` sees what a tree "
    "adds."
)


def unseen(
    registered: Registration | None, other: Registration, job: str, *, values: bool
) -> str | None:
    """Say what nobody registered that who may not apply is kept from, or None.

    Another target would be sent secrets; `values`: those of people would be told.
    """
    if not _has_targets_of(registered, other):
        return _ANOTHER_TARGET
    held = registered.programs.get(job) if registered else None
    program = other.programs.get(job)
    new = _shows(program, held) if values and program else frozenset()
    return _ANOTHER_ATTRIBUTE.format(job, ", ".join(sorted(new))) if new else None


def _shows(program: JobProgram, held: JobProgram | None) -> frozenset[str]:
    """Return what a program shows and the one registered does not.

    What was written of a path that is not sensitive any longer is shown beside the new
    value, wherever that comes from.
    """
    if held is None:
        return shown_attributes(program)
    unhidden = _paths(program, sensitive=False) & _paths(held, sensitive=True)
    attributes = shown_attributes(program) - shown_attributes(held)
    return attributes | {path for _, path in unhidden}


def _paths(program: JobProgram, *, sensitive: bool) -> frozenset[tuple[str, str]]:
    return frozenset(
        (mapping.source, rule.target)
        for mapping in program.mappings
        for rule in mapping.rules
        if rule.sensitive is sensitive
    )


def _has_targets_of(registered: Registration | None, other: Registration) -> bool:
    """Tell whether each target of the other is registered, whatever its name."""
    held = [_nameless(each) for each in registered.targets] if registered else []
    return all(_nameless(each) in held for each in other.targets)


def _nameless(target: Target) -> Target:
    return replace(target, name="", formerly=None)


class Watch(Protocol):
    def __call__(
        self, job: str, phase: str, done: int, total: int | None = None, /
    ) -> None:
        """Hear how far the evaluation of a job is; see `provisioning.run.Progress`."""
        ...


def unwatched(_job: str, _phase: str, _done: int, _total: int | None = None, /) -> None:
    """Watch nothing."""


@dataclass(frozen=True)
class Telling:
    """What is told besides the counts.

    `named` has some of those whom a cycle touches named; `watch` hears how far it is.
    """

    named: bool = False
    watch: Watch = unwatched


@dataclass(frozen=True)
class Impacts:
    """`previews` answer for the tree's local agents; without them the bus is asked."""

    runs: Runs
    registrations: RegistrationStore
    identities: IdentityStore
    bus: AgentBus | None
    previews: Previews | None

    async def of(
        self, registration: Registration, operator: Operator, telling: Telling
    ) -> Foreseen:
        """Evaluate the next cycle of each job as it would be registered.

        Who may not register it can't have it read with secrets either: a reference
        that is not registered would be resolved here and sent where it says.
        """
        _, registered = await self.registrations.registration()
        consequences = [
            await self._counted(each) for each in removals(registered, registration)
        ]
        kept = under_former_names(registered, registration)
        impacts = await self._of_jobs(kept, operator, registered, telling)
        renamed = _renamed(registered, registration)
        return Foreseen(
            impacts=tuple(_called(each, renamed.get(each.job)) for each in impacts),
            consequences=tuple(consequences),
        )

    async def explain(
        self, registration: Registration, operator: Operator, job: str, lookup: Lookup
    ) -> dict[str, Any]:
        """Explain one object as the next cycle would see it; as in `of`, who may."""
        _, registered = await self.registrations.registration()
        kept = under_former_names(registered, registration)
        trusted = permits(operator.role, "apply")
        before = {new: old for old, new in _renamed(registered, registration).items()}
        name = before.get(job, job)
        if not trusted and (why := unseen(registered, kept, name, values=True)):
            raise Refused(why)
        async with (
            self._asked(kept, trusted=trusted) as bus,
            self.runs.prepared(name, kept, _required(bus)) as run,
        ):
            return await explain_foreseen(run, lookup, digest=digest(kept))

    async def _counted(self, removal: Removal) -> Consequence:
        target, job = removal.links
        counts = await self.runs.store.linked(target, job, removal.type)
        return removal.consequence(
            created=counts.get("created", 0), adopted=counts.get("adopted", 0)
        )

    async def _of_jobs(
        self,
        registration: Registration,
        operator: Operator,
        registered: Registration | None,
        telling: Telling,
    ) -> list[JobImpact]:
        trusted, impacts = permits(operator.role, "apply"), []
        async with self._asked(registration, trusted=trusted) as bus:
            for job in registration.jobs:
                why = unseen(registered, registration, job.name, values=telling.named)
                impacts.append(
                    _unknown(job, why)
                    if why and not trusted
                    else await self._of_job(job, registration, bus, telling)
                )
        return impacts

    @asynccontextmanager
    async def _asked(
        self, registration: Registration, *, trusted: bool
    ) -> AsyncIterator[AgentBus | None]:
        if self.previews is None or not trusted:
            yield self.bus
            return
        async with self.previews.bus(registration) as bus:
            yield bus

    async def _of_job(
        self,
        job: Job,
        registration: Registration,
        bus: AgentBus | None,
        telling: Telling,
    ) -> JobImpact:
        try:
            asked, watch = _required(bus), partial(telling.watch, job.name)
            async with self.runs.prepared(job.name, registration, asked, watch) as run:
                whole = digest(registration)
                found = await impact(run, digest=whole, named=telling.named)
                return shapes.impact(run, found)
        except CloudforestError as error:
            awaited = await self._is_awaited(registration, job.domain)
            failed = job.enabled and not awaited
            return replace(_unknown(job, str(error)), failed=failed)

    async def _is_awaited(self, registration: Registration, domain: str) -> bool:
        """Tell whether all agents of the domain are remote ones yet to enrol."""
        known = {each.name: each for each in await self.identities.agents()}
        return all(
            agent.run == "remote"
            and (agent.name not in known or known[agent.name].certificate is None)
            for agent in registration.agents
            if domain in agent.domains
        )


def _unknown(job: Job, reason: str) -> JobImpact:
    return JobImpact(job=job.name, enabled=job.enabled, unknown=reason)


def _required(bus: AgentBus | None) -> AgentBus:
    if bus is None:
        raise Unavailable("No agent can be asked from here.")
    return bus


def _renamed(
    registered: Registration | None, registration: Registration
) -> dict[str, str]:
    """Return the new name of each job that gets one."""
    found = renames(registered, registration)
    return {each.before: each.after for each in found if each.kind == "Job"}


def _called(impact: JobImpact, name: str | None) -> JobImpact:
    """Return the impact under the new name of its job, if it gets one."""
    if name is None:
        return impact
    guards = tuple(replace(each, job=name) for each in impact.guards)
    return replace(impact, job=name, guards=guards)
