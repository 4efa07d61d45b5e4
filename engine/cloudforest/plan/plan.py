"""The plan: what would change, its impact on objects, and which guards object."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from cloudforest.base.values import Value, canonical_digest
from cloudforest.model.cycles import Breakdown, Counts, CycleKind
from cloudforest.model.registration import Registration
from cloudforest.plan.difference import Change, compare_registrations
from cloudforest.plan.warnings import Orphans, find_warnings


class GuardObjection(Value, frozen=True):
    """A guard that would stop effects: how many there are, and the limit.

    `total` also counts the earlier effects in the guard's window. `allow` is the
    command that allows them. `follows`: the guard objects only after the stages of the
    other guards are allowed.
    """

    job: str
    guard: str
    effects: int
    limit: int
    allow: str = ""
    total: int = 0
    follows: bool = False


class JobImpact(Value, frozen=True):
    """What the next cycle of a job would do, or why that is unknown.

    `cycle` is initial if everything is read again, as after a change of the scope or
    the attributes. A job that is not `enabled` is previewed as if it were. `failed`:
    unknown because an agent or a target did not answer. `effects` is the digest of all
    writes, `breakdown` says which objects they touch and why.
    """

    job: str
    enabled: bool = True
    cycle: CycleKind | None = None
    counts: Counts | None = None
    requests: int = 0
    min_seconds: float = 0.0
    unknown: str | None = None
    failed: bool = False
    guards: tuple[GuardObjection, ...] = ()
    effects: str = ""
    breakdown: Breakdown = Breakdown()

    def to_shape(self) -> dict[str, Any]:
        """Return the documented JSON; without `samples` unless names were requested."""
        counts = {"enabled": self.enabled, **self.shape_counts()}
        if self.counts is None:
            return counts
        counts["cycle"] = self.cycle
        breakdown = msgspec.to_builtins(self.breakdown)
        if not self.breakdown.samples:
            del breakdown["samples"]
        return {**counts, **breakdown}

    def shape_counts(self) -> dict[str, Any]:
        """Return the counts, or why they are unknown."""
        if self.counts is None:
            return {"unknown": self.unknown}
        seconds = {"requests": self.requests, "minSeconds": self.min_seconds}
        return {**msgspec.to_builtins(self.counts), **seconds}


class ImpactReport(Value, frozen=True):
    """The impact of a registration that would replace the current one."""

    impacts: tuple[JobImpact, ...] = ()
    consequences: tuple[Orphans, ...] = ()


class Plan(Value, frozen=True):
    """The changes against revision `base`, and their impact.

    `evaluated` is false if the next cycles were not evaluated (`--no-impact`).
    """

    base: int
    changes: tuple[Change, ...]
    impacts: tuple[JobImpact, ...] = ()
    consequences: tuple[Orphans, ...] = ()
    evaluated: bool = True
    version: Literal[1] = 1

    @property
    def digest(self) -> str:
        """Digest of the changes and their base revision; `apply --plan` checks it."""
        return canonical_digest({"base": self.base, "changes": self.changes})

    @property
    def impact_digest(self) -> str:
        """Digest of the effects of all enabled jobs."""
        return canonical_digest(
            {
                each.job: (each.effects, each.shape_counts())
                for each in self.impacts
                if each.enabled
            }
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(find_warnings(self.changes))

    @property
    def guards(self) -> tuple[GuardObjection, ...]:
        """Objections of enabled jobs; a disabled job never blocks a plan."""
        impacts = (impact for impact in self.impacts if impact.enabled)
        return tuple(guard for impact in impacts for guard in impact.guards)

    @property
    def blocked(self) -> bool:
        return bool(self.guards)

    def to_shape(self) -> dict[str, Any]:
        """Return the documented JSON."""
        return {
            "digest": self.digest,
            "impactDigest": self.impact_digest,
            "blocked": self.blocked,
            "changes": msgspec.to_builtins(self.changes),
            "impactEvaluated": self.evaluated,
            "impact": {each.job: each.to_shape() for each in self.impacts},
            "guards": msgspec.to_builtins(self.guards),
            "warnings": list(self.warnings),
            "consequences": msgspec.to_builtins(self.consequences),
        }


def make_plan(
    *,
    base: int,
    registered: Registration | None,
    desired: Registration,
    report: ImpactReport | None = None,
) -> Plan:
    """Make the plan; without `report` it says nothing about the impact."""
    evaluated = report is not None
    report = report or ImpactReport()
    return Plan(
        base=base,
        changes=compare_registrations(registered, desired),
        impacts=report.impacts,
        consequences=report.consequences,
        evaluated=evaluated,
    )
