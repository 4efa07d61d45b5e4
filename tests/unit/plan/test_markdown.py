from __future__ import annotations

import msgspec
from tests.support.plans import IMPACT, plan_between, registration

from cloudforest.model.registration import (
    Agent,
)
from cloudforest.plan.markdown import MAX_COMMENT_BYTES, render_markdown


def test_markdown_starts_with_the_impact_and_the_blocking_guards():
    plan = msgspec.structs.replace(
        plan_between(registration(), registration(jobs=())), impacts=(IMPACT,)
    )
    text = render_markdown(plan)
    assert text.startswith("### cloudforest plan: blocked by a guard; 1 to delete\n")
    assert text.index("5 to create") < text.index("- Job people")
    assert "- interval: 2m" in text
    assert "2 disables exceed the limit of 1 (guard.disables of job people)." in text
    assert "`X`" in text


def test_long_markdown_is_cut_to_fit_a_comment():
    agents = tuple(
        Agent(name=f"sync{number:04}", domains=("contoso.com",), run="local")
        for number in range(2000)
    )
    text = render_markdown(plan_between(None, registration(agents=agents)))
    assert len(text.encode()) < MAX_COMMENT_BYTES + 200
    assert "This comment is cut (1" in text
    assert text.count("<details>") == text.count("</details>")
    assert text.count("```") == 2 * text.count("```diff")
