from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.hybrid import NOW

from cloudforest.base.errors import Refused, Unauthenticated
from cloudforest.hybrid.bootstrap import agent_state, select_listed
from cloudforest.hybrid.operators import require_role
from cloudforest.model.identity import AgentRecord, AuditRecord, Operator


async def test_token_finds_its_operator_and_is_not_stored(hybrid):
    token = await hybrid.operators.add("ann", "plan")
    operator = await hybrid.operators.authenticate(token)
    assert operator == Operator(name="ann", role="plan")
    assert token not in str(hybrid.store.operators)


async def test_unknown_token_is_refused(hybrid):
    await hybrid.operators.add("ann", "plan")
    with pytest.raises(Unauthenticated, match="not valid here"):
        await hybrid.operators.authenticate("cfo_x")


def test_role_includes_lower_roles_only():
    ann = Operator(name="ann", role="plan")
    require_role(ann, "read")
    with pytest.raises(Refused, match=r'"ann" has the role `plan`\. This needs'):
        require_role(ann, "apply")


async def test_audit_records_what_an_operator_does(hybrid):
    ann = Operator(name="ann", role="apply")
    await hybrid.operators.audit(ann, "apply", "revision 3")
    assert hybrid.store.list_audit_records == [
        AuditRecord(time=NOW, operator="ann", action="apply", detail="revision 3")
    ]


@pytest.mark.parametrize(
    ("hours", "state"),
    [(None, "pending"), (0, "active"), (1, "active"), (2, "inactive")],
)
def test_agent_state_follows_from_the_last_bootstrap(hours, state):
    assert agent_state(heard_of(hours), NOW) == state


def test_agent_silent_for_ten_days_is_no_longer_listed():
    records = [heard_of(None), heard_of(240), heard_of(241)]
    assert select_listed(records, NOW) == records[:2]


def heard_of(hours: int | None) -> AgentRecord:
    last = None if hours is None else NOW - timedelta(hours=hours)
    return AgentRecord(id="1", name="a", domains=(), last_bootstrap=last)
