"""The plan: what would change, whom it would touch, and whether a guard objects."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from cloudforest.base.values import Value, canonical_digest
from cloudforest.model.cycles import Breakdown, Counts, CycleKind
from cloudforest.model.registration import Registration
from cloudforest.plan.difference import Change, compare_registrations
from cloudforest.plan.warnings import Orphans, find_warnings


class GuardObjection(Value, frozen=True):
    """A guard that would stop effects: how many there are, and how many may be.

    `total` is what its window would come to with those of earlier cycles, `allow` what
    the operator would do about it, in one line. `follows`: it would stop them only once
    what the other guards of the job stop is allowed.
    """

    job: str
    guard: str
    effects: int
    limit: int
    allow: str = ""
    total: int = 0
    follows: bool = False


class JobImpact(Value, frozen=True):
    """What the next cycle of a job would do, or why nobody knows.

    Its `cycle` is initial where all is read anew: another scope, other attributes.
    One that is not `enabled` has none: it is what a first or next one would do then.
    `failed`: it is unknown because something that should answer did not. `effects` is
    the digest of all that would be written, `breakdown` whom that touches.
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
        """Return the documented JSON; `samples` only where names were asked for."""
        counted = {"enabled": self.enabled, **self.shape_counts()}
        if self.counts is None:
            return counted
        counted["cycle"] = self.cycle
        touched = msgspec.to_builtins(self.breakdown)
        if not self.breakdown.samples:
            del touched["samples"]
        return {**counted, **touched}

    def shape_counts(self) -> dict[str, Any]:
        """Return the counts, or why there are none."""
        if self.counts is None:
            return {"unknown": self.unknown}
        seconds = {"requests": self.requests, "minSeconds": self.min_seconds}
        return {**msgspec.to_builtins(self.counts), **seconds}


class ImpactReport(Value, frozen=True):
    """What the control plane says of a registration that would replace its own."""

    impacts: tuple[JobImpact, ...] = ()
    consequences: tuple[Orphans, ...] = ()


class Plan(Value, frozen=True):
    """`base` is the revision that it was made against.

    Unless it is `evaluated`, nobody asked what the next cycles would do.
    """

    base: int
    changes: tuple[Change, ...]
    impacts: tuple[JobImpact, ...] = ()
    consequences: tuple[Orphans, ...] = ()
    evaluated: bool = True
    version: Literal[1] = 1

    @property
    def digest(self) -> str:
        """What `apply --plan` checks: the changes and the revision they start from."""
        return canonical_digest({"base": self.base, "changes": self.changes})

    @property
    def impact_digest(self) -> str:
        """What an allowance names: the effects."""
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
        """Those that would stop something: not of jobs that have no cycles."""
        impacts = (each for each in self.impacts if each.enabled)
        return tuple(guard for each in impacts for guard in each.guards)

    @property
    def blocked(self) -> bool:
        return bool(self.guards)

    def to_shape(self) -> dict[str, Any]:
        """Return the documented JSON shape."""
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
    """Make the plan; without `foreseen` it says nothing of the effects on people."""
    evaluated = report is not None
    report = report or ImpactReport()
    return Plan(
        base=base,
        changes=compare_registrations(registered, desired),
        impacts=report.impacts,
        consequences=report.consequences,
        evaluated=evaluated,
    )
