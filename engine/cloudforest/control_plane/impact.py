"""Evaluates what the next cycles would do, for plans, without writing it.

An operator who may not apply a tree sees only what the registered one reads already.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cloudforest.base.errors import CloudforestError, Refused
from cloudforest.base.values import canonical_digest
from cloudforest.control_plane import shapes
from cloudforest.control_plane.preview import open_preview_bus
from cloudforest.control_plane.runs import JobRunner
from cloudforest.model.identity import Operator, has_permission
from cloudforest.model.messages import Lookup
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.ports.identity import IdentityStore
from cloudforest.model.program import JobProgram
from cloudforest.model.registration import Job, Registration, Target
from cloudforest.model.renames import find_renames, with_former_names
from cloudforest.plan.plan import ImpactReport, JobImpact
from cloudforest.plan.warnings import Orphans, UncountedOrphans, find_orphans
from cloudforest.provisioning.explanation.scope import list_shown_attributes
from cloudforest.provisioning.impact import compute_impact, explain_next_cycle
from cloudforest.provisioning.run import Progress

_UNREGISTERED_TARGET = (
    "A target differs from the registered one. This needs the role `apply`."
)
_UNREGISTERED_ATTRIBUTE = (
    'The registered job "{}" does not show {}. This needs the role `apply`.'
)


def _target_paths(
    program: JobProgram, *, sensitive: bool
) -> frozenset[tuple[str, str]]:
    return frozenset(
        (mapping.source, rule.target)
        for mapping in program.mappings
        for rule in mapping.rules
        if rule.sensitive is sensitive
    )


def _find_newly_shown(
    program: JobProgram, registered: JobProgram | None
) -> frozenset[str]:
    """Return the attributes that a program shows and the registered one does not.

    Includes target paths that are no longer sensitive: the last written value would be
    shown next to the new one.
    """
    if registered is None:
        return list_shown_attributes(program)
    hidden = _target_paths(registered, sensitive=True)
    unhidden = hidden & _target_paths(program, sensitive=False)
    attributes = list_shown_attributes(program) - list_shown_attributes(registered)
    return attributes | {path for _, path in unhidden}


def _without_name(target: Target) -> Target:
    return replace(target, name="", formerly=None)


def find_hidden_reason(
    registered: Registration | None, desired: Registration, job: str, *, values: bool
) -> str | None:
    """Return why an operator without role `apply` must not see a job, or None.

    An unregistered target would receive secrets. With `values`, unregistered attributes
    would reveal values of people.
    """
    # A target may be registered under any name.
    known = [_without_name(each) for each in registered.targets] if registered else []
    if not all(_without_name(each) in known for each in desired.targets):
        return _UNREGISTERED_TARGET
    before = registered.programs.get(job) if registered else None
    program = desired.programs.get(job)
    new = _find_newly_shown(program, before) if values and program else frozenset()
    return _UNREGISTERED_ATTRIBUTE.format(job, ", ".join(sorted(new))) if new else None


def _find_renamed_jobs(
    registered: Registration | None, registration: Registration
) -> dict[str, str]:
    """Return the new name of each renamed job, by its old one."""
    found = find_renames(registered, registration)
    return {each.before: each.after for each in found if each.kind == "Job"}


def _rename_job(impact: JobImpact, name: str | None) -> JobImpact:
    """Return the impact under the new name of its job, if it has one."""
    if name is None:
        return impact
    guards = tuple(replace(each, job=name) for each in impact.guards)
    return replace(impact, job=name, guards=guards)


@dataclass(frozen=True)
class ImpactService:
    """Evaluates impacts; the local agents of `tree`, if any, are read directly."""

    runner: JobRunner
    identities: IdentityStore
    tree: Path | None

    async def evaluate(
        self,
        registration: Registration,
        operator: Operator,
        *,
        with_names: bool,
        progress_of: Callable[[str], Progress],
    ) -> ImpactReport:
        """Evaluate the next cycle of each job as it would be registered.

        `with_names` names sample objects; `progress_of` reports on a job.
        An operator who may not register it must not have it read with secrets either:
        an unregistered reference would be resolved here and sent to its target.
        """
        registered = await self.runner.read_registration()
        consequences = [
            await self._count_orphans(each)
            for each in find_orphans(registered, registration)
        ]
        kept = with_former_names(registered, registration)
        renamed = _find_renamed_jobs(registered, registration)
        trusted, impacts = has_permission(operator.role, "apply"), []
        async with self._open_bus(kept, trusted=trusted) as bus:
            for job in kept.jobs:
                name = job.name
                reason = find_hidden_reason(registered, kept, name, values=with_names)
                impact = (
                    JobImpact(job=name, enabled=job.enabled, unknown=reason)
                    if reason and not trusted
                    else await self._evaluate_job(
                        job, kept, bus, progress_of(name), with_names=with_names
                    )
                )
                impacts.append(_rename_job(impact, renamed.get(name)))
        return ImpactReport(impacts=tuple(impacts), consequences=tuple(consequences))

    async def explain(
        self, registration: Registration, operator: Operator, job: str, lookup: Lookup
    ) -> dict[str, Any]:
        """Explain an object as the next cycle would; permissions as in `evaluate`."""
        registered = await self.runner.read_registration()
        kept = with_former_names(registered, registration)
        trusted = has_permission(operator.role, "apply")
        renamed = _find_renamed_jobs(registered, registration)
        name = next((old for old, new in renamed.items() if new == job), job)
        reason = find_hidden_reason(registered, kept, name, values=True)
        if reason and not trusted:
            raise Refused(reason)
        async with (
            self._open_bus(kept, trusted=trusted) as bus,
            self.runner.open_context(name, kept, bus=bus) as run,
        ):
            return await explain_next_cycle(run, lookup, digest=canonical_digest(kept))

    async def _count_orphans(self, orphans: UncountedOrphans) -> Orphans:
        target, job = orphans.links
        counts = await self.runner.store.count_links(target, job, orphans.type)
        created, adopted = counts.get("created", 0), counts.get("adopted", 0)
        return orphans.with_counts(created=created, adopted=adopted)

    @asynccontextmanager
    async def _open_bus(
        self, registration: Registration, *, trusted: bool
    ) -> AsyncIterator[AgentBus | None]:
        """Yield a bus that replaces ours, or None."""
        if self.tree is None or not trusted:
            yield None
            return
        async with open_preview_bus(registration, self.tree) as bus:
            yield bus

    async def _evaluate_job(
        self,
        job: Job,
        registration: Registration,
        bus: AgentBus | None,
        progress: Progress,
        *,
        with_names: bool,
    ) -> JobImpact:
        try:
            async with self.runner.open_context(
                job.name, registration, progress, bus=bus
            ) as run:
                digest = canonical_digest(registration)
                impact = await compute_impact(
                    run, plan_digest=digest, with_names=with_names
                )
                return shapes.make_job_impact(run, impact)
        except CloudforestError as error:
            waiting = await self._is_waiting_for_enrolment(registration, job.domain)
            return JobImpact(
                job=job.name,
                enabled=job.enabled,
                unknown=str(error),
                failed=job.enabled and not waiting,
            )

    async def _is_waiting_for_enrolment(
        self, registration: Registration, domain: str
    ) -> bool:
        """Tell whether all agents of the domain are remote and not enrolled yet."""
        agents = await self.identities.list_agents()
        enrolled = {each.name for each in agents if each.certificate is not None}
        return all(
            agent.run == "remote" and agent.name not in enrolled
            for agent in registration.agents
            if domain in agent.domains
        )
