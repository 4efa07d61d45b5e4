from __future__ import annotations

from pathlib import Path

import msgspec
from tests.support.plans import IMPACT, plan_between, registration

from cloudforest.cli.plan import add_state_to_plan
from cloudforest.plan.html import render_html
from cloudforest.plan.markdown import render_markdown


def test_all_formats_show_the_allow_command_with_the_state():
    plan = msgspec.structs.replace(
        plan_between(None, registration()), impacts=(IMPACT,)
    )
    placed = add_state_to_plan(plan, Path("identity/.cloudforest"))

    assert placed.to_shape()["guards"][0]["allow"] == "X --state identity/.cloudforest"
    for page in (render_markdown(placed), render_html(placed)):
        assert "X --state identity/.cloudforest" in page
    assert add_state_to_plan(plan, None) == plan
