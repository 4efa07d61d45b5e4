"""The sample forest of the first topology: its content, and the script behind it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cloudforest.adapters.ldif.directory import LdifDirectory
from cloudforest.model.ports.directory import DirSyncCookie, Entry

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "topologies/new-hybrid-customer/data/contoso.ldif"


def test_sample_equals_the_output_of_its_script():
    made = subprocess.run(
        [sys.executable, str(ROOT / "scripts/make_forest.py")],
        check=True,
        capture_output=True,
    )

    assert made.stdout == SAMPLE.read_bytes()


async def test_sample_resembles_a_real_forest():
    directory = LdifDirectory("contoso.com", SAMPLE)
    asked = ["employeetype", "iscriticalsystemobject", "mail", "manager", "member"]
    users = [item async for item in directory.read_changes("user", asked, None)]
    groups = [item async for item in directory.read_changes("group", asked, None)]

    assert isinstance(users[-1], DirSyncCookie)
    assert users[-1].is_complete
    people = [each for each in users if isinstance(each, Entry)]
    kinds = [each.attributes.get("employeetype", ("",))[0] for each in people]
    assert (kinds.count("staff"), kinds.count("contractor")) == (950, 50)
    assert sum("computer" in each.classes for each in people) == 21
    guids = {each.object_guid for each in people}
    assert all(set(each.attributes.get("manager", ())) <= guids for each in people)
    sizes = sorted(
        len(each.members)
        for each in groups
        if isinstance(each, Entry) and "iscriticalsystemobject" not in each.attributes
    )
    assert (len(sizes), sizes[0], sizes[-1]) == (60, 0, 800)
