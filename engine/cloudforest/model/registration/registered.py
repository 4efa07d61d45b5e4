"""All that is registered, together."""

from __future__ import annotations

from typing import Literal

import msgspec

from cloudforest.model.program import JobProgram
from cloudforest.model.registration.forest import Agent, Domain, Forest
from cloudforest.model.registration.job import Job
from cloudforest.model.registration.mapping import Mapping, Scope
from cloudforest.model.registration.target import Target
from cloudforest.model.registration.tenant import Tenant
from cloudforest.model.value import Value


class Registration(Value, frozen=True):
    """A whole tree; lists are sorted by name. `programs` is keyed by job."""

    tenant: Tenant
    targets: tuple[Target, ...] = ()
    forests: tuple[Forest, ...] = ()
    agents: tuple[Agent, ...] = ()
    scopes: tuple[Scope, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    jobs: tuple[Job, ...] = ()
    programs: dict[str, JobProgram] = msgspec.field(default_factory=dict)
    version: Literal[1] = 1

    def job(self, name: str) -> Job | None:
        return next((each for each in self.jobs if each.name == name), None)

    def target(self, name: str) -> Target | None:
        return next((each for each in self.targets if each.name == name), None)

    def domains(self) -> dict[str, Domain]:
        return {
            domain.name: domain for forest in self.forests for domain in forest.domains
        }


class Revision(Value, frozen=True):
    """What was registered, by whom and when."""

    number: int
    registration: Registration
    operator: str
    time: str
