"""Jobs and targets with former names."""

from __future__ import annotations

from cloudforest.model.program import JobProgram, ScopeProgram
from cloudforest.model.registration import (
    Agent,
    Job,
    Profile,
    Registration,
    Target,
    Tenant,
)

PROGRAM = JobProgram(
    scope=ScopeProgram(types=("user",), organizational_units=None), mappings=()
)


def job(name: str, *, target: str = "cloud", formerly: str | None = None) -> Job:
    return Job(
        name=name,
        domain="contoso.com",
        target=target,
        scope="staff",
        mappings=("people",),
        interval=120,
        formerly=formerly,
    )


def target(name: str, *, formerly: str | None = None) -> Target:
    profile = Profile(name="generic")
    return Target(name=name, scim="embedded", profile=profile, formerly=formerly)


def tree(*nouns: Job | Target | Agent) -> Registration:
    jobs = tuple(each for each in nouns if isinstance(each, Job))
    return Registration(
        tenant=Tenant(name="contoso", scenario="new-hybrid-customer"),
        targets=tuple(each for each in nouns if isinstance(each, Target)),
        agents=tuple(each for each in nouns if isinstance(each, Agent)),
        jobs=jobs,
        programs={each.name: PROGRAM for each in jobs},
    )
