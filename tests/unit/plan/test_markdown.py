from __future__ import annotations

import msgspec
from tests.support.plans import IMPACT, plan_between, registration

from cloudforest.model.registration import (
    Agent,
)
from cloudforest.plan.markdown import MAX_COMMENT_BYTES, render_markdown


def test_markdown_says_first_whom_it_touches_and_that_it_is_blocked():
    plan = msgspec.structs.replace(
        plan_between(registration(), registration(jobs=())), impacts=(IMPACT,)
    )
    text = render_markdown(plan)
    assert text.startswith("### cloudforest plan: BLOCKED by a guard; 1 to delete\n")
    assert text.index("5 to create") < text.index("- Job people")
    assert "- interval: 2m" in text
    assert "people would cause 2 disables; at most 1 may happen" in text
    assert "`X`" in text


def test_markdown_fits_a_comment():
    agents = tuple(
        Agent(name=f"sync{number:04}", domains=("contoso.com",), run="local")
        for number in range(2000)
    )
    text = render_markdown(plan_between(None, registration(agents=agents)))
    assert len(text.encode()) < MAX_COMMENT_BYTES + 200
    assert "The rest is cut (1" in text
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") == 2 * text.count("```diff")
