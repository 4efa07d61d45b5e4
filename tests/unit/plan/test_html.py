from __future__ import annotations

import msgspec
from tests.support.plans import IMPACT, plan_between, registration

from cloudforest.model.registration import (
    Tenant,
)
from cloudforest.plan.html import render_html


def test_html_escapes_names():
    tenant = Tenant(name="<script>", scenario="new-hybrid-customer")
    plan = plan_between(None, registration(tenant=tenant))
    text = render_html(msgspec.structs.replace(plan, impacts=(IMPACT,)))
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "2 disables exceed the limit of 1 (guard.disables of job people)." in text
    assert "<code>X</code>" in text
    assert "Blocked by a guard: 5 to create</h1>" in text
