"""Renders the golden plans; run it to write them again.

`plans` holds the first plan of each topology. `changes/NAME.diff` is a pull request,
and the files beside it are its plan after the first cycles.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec
from tests.support.installed import COMMAND, Installed

from cloudforest.cli import terminal
from cloudforest.cli.plan_text import show_plan
from cloudforest.compiler.compile import compile_tree
from cloudforest.plan.markdown import render_markdown
from cloudforest.plan.plan import make_plan

ROOT = Path(__file__).parents[2]
PLANS = Path(__file__).parent / "plans"
CHANGES = Path(__file__).parent / "changes"
TOPOLOGIES = sorted({each.parent for each in ROOT.glob("topologies/*/*.yaml")})
FORMATS = {"txt": "text", "json": "json", "md": "markdown", "html": "html"}
_RANDOM = re.compile(r'(?<=job allow )\w{64}|(?<="impactDigest": ")\w{64}')
"""Digests of effects: they depend on ids that the target chose."""


def rendered(topology: Path) -> dict[str, str]:
    """Return the plan as text, JSON and Markdown, by file extension."""
    registration = compile_tree(topology).registration
    assert registration is not None, topology
    plan = make_plan(base=0, registered=None, desired=registration)
    with terminal.out_console.capture() as captured:
        show_plan(plan)
    data = msgspec.json.format(msgspec.json.encode(plan.to_shape()))
    return {
        "txt": captured.get(),
        "json": data.decode() + "\n",
        "md": render_markdown(plan),
    }


def copied(topology: Path, folder: Path) -> Installed:
    """Return the command in a copy of the topology, after the run of its other tool."""
    tree = folder / topology.name
    shutil.copytree(topology, tree, ignore=shutil.ignore_patterns(".cloudforest"))
    path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    cloudforest = Installed(tree, {"PATH": path})
    if (tree / ".other-tool").exists():
        state = str(cloudforest.state)
        ran = cloudforest("up", ".other-tool", "--once", "--state", state)
        assert ran.code == 0, ran
    return cloudforest


def changed(cloudforest: Installed) -> dict[str, str]:
    """Apply the change to the topology; return its plans by file extension."""
    patch = CHANGES / f"{cloudforest.tree.name}.diff"
    subprocess.run(["git", "apply", patch], cwd=cloudforest.tree, check=True)
    plans = {
        ending: cloudforest("plan", "--format", name).out
        for ending, name in FORMATS.items()
    }
    return {ending: _anywhere(plan) for ending, plan in plans.items()}


def _anywhere(plan: str) -> str:
    """Return the plan without what differs between machines and runs."""
    return _RANDOM.sub("0" * 64, plan).replace(str(COMMAND), "cloudforest")


def _write(folder: Path, name: str, plans: dict[str, str]) -> None:
    for ending, text in plans.items():
        (folder / f"{name}.{ending}").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for each in TOPOLOGIES:
        _write(PLANS, each.name, rendered(each))
        with tempfile.TemporaryDirectory() as scratch:
            tree = copied(each, Path(scratch))
            tree.up_once()
            _write(CHANGES, each.name, changed(tree))
