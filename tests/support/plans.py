"""Plans between small registrations."""

from __future__ import annotations

import msgspec

from cloudforest.model.cycles import Counts
from cloudforest.model.registration import (
    Agent,
    Domain,
    Forest,
    Job,
    Profile,
    Registration,
    Source,
    Target,
    Tenant,
)
from cloudforest.plan.plan import GuardObjection, JobImpact, Plan, make_plan

JOB = Job(
    name="people",
    domain="contoso.com",
    target="cloud",
    scope="staff",
    mappings=("people",),
    interval=120,
)


def registration(**changes: object) -> Registration:
    whole = Registration(
        tenant=Tenant(name="contoso", scenario="new-hybrid-customer"),
        targets=(
            Target(name="cloud", scim="embedded", profile=Profile(name="generic")),
        ),
        forests=(
            Forest(
                name="contoso",
                domains=(Domain(name="contoso.com", source=Source(ldif="a.ldif")),),
            ),
        ),
        agents=(Agent(name="sync01", domains=("contoso.com",), run="local"),),
        jobs=(JOB,),
    )
    return msgspec.structs.replace(whole, **changes)


def plan_between(before: Registration | None, after: Registration) -> Plan:
    return make_plan(base=3, registered=before, desired=after)


IMPACT = JobImpact(
    job="people",
    counts=Counts(read=9, in_scope=7, create=5, disable=2),
    requests=7,
    min_seconds=1.5,
    guards=(
        GuardObjection(job="people", guard="disables", effects=2, limit=1, allow="X"),
    ),
)
