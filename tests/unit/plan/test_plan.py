from __future__ import annotations

import msgspec
from tests.support.plans import IMPACT, plan_between, registration

from cloudforest.plan.plan import JobImpact


def test_digest_depends_only_on_base_and_changes():
    plan = plan_between(None, registration())
    other_base = msgspec.structs.replace(plan, base=4)
    with_impact = msgspec.structs.replace(plan, impacts=(IMPACT,))
    assert plan.digest == with_impact.digest
    assert plan.digest != other_base.digest
    assert plan.impact_digest != with_impact.impact_digest


def test_json_has_the_documented_shape():
    plan = msgspec.structs.replace(
        plan_between(None, registration()),
        impacts=(IMPACT, JobImpact(job="other", unknown="No agent.")),
    )
    data = plan.to_shape()
    assert set(data) == {
        *("digest", "impactDigest", "blocked", "changes", "impact", "guards"),
        *("warnings", "consequences", "impactEvaluated"),
    }
    assert data["blocked"] is True
    assert data["impact"]["other"] == {"enabled": True, "unknown": "No agent."}
    assert data["impact"]["people"]["inScope"] == 7
    assert data["impact"]["people"]["minSeconds"] == 1.5
    (guard,) = data["guards"]
    assert guard == {
        "job": "people",
        "guard": "disables",
        "effects": 2,
        "limit": 1,
        "allow": "X",
        "total": 0,
        "follows": False,
    }
    assert set(data["changes"][0]) == {"action", "kind", "name", "fields"}
