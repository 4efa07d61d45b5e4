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
from cloudforest.base.values import canonical_digest
from cloudforest.control_plane import shapes
from cloudforest.control_plane.preview import LocalPreviews
from cloudforest.control_plane.runs import JobRunner
from cloudforest.model.identity import Operator, has_permission
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.identity import IdentityStore, RegistrationStore
from cloudforest.model.program import JobProgram
from cloudforest.model.registration import Job, Registration, Target
from cloudforest.model.renames import find_renames, with_former_names
from cloudforest.plan.plan import ImpactReport, JobImpact
from cloudforest.plan.warnings import Orphans, UncountedOrphans, find_orphans
from cloudforest.provisioning.explanation.scope import list_shown_attributes
from cloudforest.provisioning.impact import compute_impact, explain_next_cycle

_UNREGISTERED_TARGET = "A target differs from the registered one; role `apply` sees."
_UNREGISTERED_ATTRIBUTE = (
    "What is registered of the job {} does not show {}; role `apply` sees what a tree "
    "adds."
)


def find_hidden_reason(
    registered: Registration | None, desired: Registration, job: str, *, values: bool
) -> str | None:
    """Say what nobody registered that who may not apply is kept from, or None.

    Another target would be sent secrets; `values`: those of people would be told.
    """
    if not _has_only_registered_targets(registered, desired):
        return _UNREGISTERED_TARGET
    held = registered.programs.get(job) if registered else None
    program = desired.programs.get(job)
    new = _find_newly_shown(program, held) if values and program else frozenset()
    return _UNREGISTERED_ATTRIBUTE.format(job, ", ".join(sorted(new))) if new else None


def _find_newly_shown(
    program: JobProgram, registered: JobProgram | None
) -> frozenset[str]:
    """Return what a program shows and the one registered does not.

    What was written of a path that is not sensitive any longer is shown beside the new
    value, wherever that comes from.
    """
    if registered is None:
        return list_shown_attributes(program)
    unhidden = _target_paths(program, sensitive=False) & _target_paths(
        registered, sensitive=True
    )
    attributes = list_shown_attributes(program) - list_shown_attributes(registered)
    return attributes | {path for _, path in unhidden}


def _target_paths(
    program: JobProgram, *, sensitive: bool
) -> frozenset[tuple[str, str]]:
    return frozenset(
        (mapping.source, rule.target)
        for mapping in program.mappings
        for rule in mapping.rules
        if rule.sensitive is sensitive
    )


def _has_only_registered_targets(
    registered: Registration | None, desired: Registration
) -> bool:
    """Tell whether each target of the other is registered, whatever its name."""
    held = [_without_name(each) for each in registered.targets] if registered else []
    return all(_without_name(each) in held for each in desired.targets)


def _without_name(target: Target) -> Target:
    return replace(target, name="", formerly=None)


class JobProgress(Protocol):
    def __call__(
        self, job: str, phase: str, done: int, total: int | None = None, /
    ) -> None:
        """Hear how far the evaluation of a job is; see `provisioning.run.Progress`."""
        ...


def ignore_progress(
    _job: str, _phase: str, _done: int, _total: int | None = None, /
) -> None:
    """Watch nothing."""


@dataclass(frozen=True)
class ImpactOptions:
    """What is told besides the counts.

    `named` has some of those whom a cycle touches named; `watch` hears how far it is.
    """

    with_names: bool = False
    progress: JobProgress = ignore_progress


@dataclass(frozen=True)
class ImpactService:
    """`previews` answer for the tree's local agents; without them the bus is asked."""

    runner: JobRunner
    registrations: RegistrationStore
    identities: IdentityStore
    bus: AgentBus | None
    previews: LocalPreviews | None

    async def evaluate(
        self, registration: Registration, operator: Operator, options: ImpactOptions
    ) -> ImpactReport:
        """Evaluate the next cycle of each job as it would be registered.

        Who may not register it can't have it read with secrets either: a reference
        that is not registered would be resolved here and sent where it says.
        """
        _, registered = await self.registrations.load_registration()
        consequences = [
            await self._count_orphans(each)
            for each in find_orphans(registered, registration)
        ]
        kept = with_former_names(registered, registration)
        impacts = await self._evaluate_jobs(kept, operator, registered, options)
        renamed = _find_renamed_jobs(registered, registration)
        return ImpactReport(
            impacts=tuple(_rename_job(each, renamed.get(each.job)) for each in impacts),
            consequences=tuple(consequences),
        )

    async def explain(
        self, registration: Registration, operator: Operator, job: str, lookup: Lookup
    ) -> dict[str, Any]:
        """Explain one object as the next cycle would see it; as in `of`, who may."""
        _, registered = await self.registrations.load_registration()
        kept = with_former_names(registered, registration)
        trusted = has_permission(operator.role, "apply")
        before = {
            new: old
            for old, new in _find_renamed_jobs(registered, registration).items()
        }
        name = before.get(job, job)
        if not trusted and (
            why := find_hidden_reason(registered, kept, name, values=True)
        ):
            raise Refused(why)
        async with (
            self._open_bus(kept, trusted=trusted) as bus,
            self.runner.open_context(name, kept, _require_any_bus(bus)) as run,
        ):
            return await explain_next_cycle(run, lookup, digest=canonical_digest(kept))

    async def _count_orphans(self, orphans: UncountedOrphans) -> Orphans:
        target, job = orphans.links
        counts = await self.runner.store.count_links(target, job, orphans.type)
        return orphans.with_counts(
            created=counts.get("created", 0), adopted=counts.get("adopted", 0)
        )

    async def _evaluate_jobs(
        self,
        registration: Registration,
        operator: Operator,
        registered: Registration | None,
        options: ImpactOptions,
    ) -> list[JobImpact]:
        trusted, impacts = has_permission(operator.role, "apply"), []
        async with self._open_bus(registration, trusted=trusted) as bus:
            for job in registration.jobs:
                why = find_hidden_reason(
                    registered, registration, job.name, values=options.with_names
                )
                impacts.append(
                    _make_unknown_impact(job, why)
                    if why and not trusted
                    else await self._evaluate_job(job, registration, bus, options)
                )
        return impacts

    @asynccontextmanager
    async def _open_bus(
        self, registration: Registration, *, trusted: bool
    ) -> AsyncIterator[AgentBus | None]:
        if self.previews is None or not trusted:
            yield self.bus
            return
        async with self.previews.open_bus(registration) as bus:
            yield bus

    async def _evaluate_job(
        self,
        job: Job,
        registration: Registration,
        bus: AgentBus | None,
        options: ImpactOptions,
    ) -> JobImpact:
        try:
            asked, watch = _require_any_bus(bus), partial(options.progress, job.name)
            async with self.runner.open_context(
                job.name, registration, asked, watch
            ) as run:
                whole = canonical_digest(registration)
                found = await compute_impact(
                    run, plan_digest=whole, with_names=options.with_names
                )
                return shapes.make_job_impact(run, found)
        except CloudforestError as error:
            awaited = await self._is_waiting_for_enrolment(registration, job.domain)
            failed = job.enabled and not awaited
            return replace(_make_unknown_impact(job, str(error)), failed=failed)

    async def _is_waiting_for_enrolment(
        self, registration: Registration, domain: str
    ) -> bool:
        """Tell whether all agents of the domain are remote ones yet to enrol."""
        known = {each.name: each for each in await self.identities.list_agents()}
        return all(
            agent.run == "remote"
            and (agent.name not in known or known[agent.name].certificate is None)
            for agent in registration.agents
            if domain in agent.domains
        )


def _make_unknown_impact(job: Job, reason: str) -> JobImpact:
    return JobImpact(job=job.name, enabled=job.enabled, unknown=reason)


def _require_any_bus(bus: AgentBus | None) -> AgentBus:
    if bus is None:
        raise Unavailable("No agent can be asked from here.")
    return bus


def _find_renamed_jobs(
    registered: Registration | None, registration: Registration
) -> dict[str, str]:
    """Return the new name of each job that gets one."""
    found = find_renames(registered, registration)
    return {each.before: each.after for each in found if each.kind == "Job"}


def _rename_job(impact: JobImpact, name: str | None) -> JobImpact:
    """Return the impact under the new name of its job, if it gets one."""
    if name is None:
        return impact
    guards = tuple(replace(each, job=name) for each in impact.guards)
    return replace(impact, job=name, guards=guards)
