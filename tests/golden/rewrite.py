"""The plan of each topology against nothing registered; run it to write them anew."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cloudforest.compiler.compile import compile_tree
from cloudforest.front import planned, terminal
from cloudforest.plan.markdown import render_markdown
from cloudforest.plan.plan import make_plan

ROOT = Path(__file__).parents[2]
PLANS = Path(__file__).parent / "plans"
TOPOLOGIES = sorted({each.parent for each in ROOT.glob("topologies/*/*.yaml")})


def rendered(topology: Path) -> dict[str, str]:
    """Return the plan as text, JSON and Markdown, by the ending of the file."""
    registration = compile_tree(topology).registration
    assert registration is not None, topology
    plan = make_plan(base=0, registered=None, desired=registration)
    with terminal.out.capture() as said:
        planned.show_plan(plan)
    data = msgspec.json.format(msgspec.json.encode(plan.data()))
    return {
        "txt": said.get(),
        "json": data.decode() + "\n",
        "md": render_markdown(plan),
    }


if __name__ == "__main__":
    for each in TOPOLOGIES:
        for ending, text in rendered(each).items():
            (PLANS / f"{each.name}.{ending}").write_text(text, encoding="utf-8")
