from __future__ import annotations

from pathlib import Path

import msgspec
from tests.support.plans import IMPACT, plan_between, registration

from cloudforest.cli.plan import on_state
from cloudforest.plan.html import render_html
from cloudforest.plan.markdown import render_markdown


def test_all_formats_name_the_state_in_the_command_that_allows():
    plan = msgspec.structs.replace(
        plan_between(None, registration()), impacts=(IMPACT,)
    )
    placed = on_state(plan, Path("identity/.cloudforest"))

    assert placed.data()["guards"][0]["allow"] == "X --state identity/.cloudforest"
    for page in (render_markdown(placed), render_html(placed)):
        assert "X --state identity/.cloudforest" in page
    assert on_state(plan, None) == plan
