"""A group of 50,000 people that is both the scope and a group in the target.

The target is the built-in directory: scim2-server scans all resources for a write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.controller import provisioned
from tests.servers.scim import ScimServer
from tests.support.installed import descendants
from tests.support.lab import FILL, Lab, make_lab
from tests.support.service import running, tree_of

SIZE = 50_000
AT_ONCE = 100
"""Members per request in the generic profile."""
MEMORY = 250
"""Most MB that a process may use. Measured: 145, and 120 without people."""


@pytest.fixture
def crowd(tenant_server: ScimServer, tmp_path: Path) -> Iterator[Lab]:
    """A lab whose scope is the group `crowd` and its members.

    It has its own domain: otherwise every scenario would read 50,000 people.
    """
    with provisioned(tmp_path, backend="mdb") as controller:
        samba = controller.samba
        account = samba.account("svc-sync")
        samba.let_replicate("svc-sync", deleted=True)
        service = tree_of(tmp_path / "service" / "tree", samba, account)
        with running(service), samba.connection() as connection:
            lab = make_lab(service, tenant_server, connection, tmp_path)
            samba.locally(FILL, lab.unit, str(SIZE), "")
            declare(lab)
            yield lab


def declare(lab: Lab, *, nested: bool = False) -> None:
    flag = ", nestedGroups: true" if nested else ""
    group = f"CN=crowd,{lab.unit}"
    lab.declare(f"organizationalUnits: all, groups: ['{group}']{flag}")


def written(lab: Lab) -> dict[str, int]:
    """Run a cycle; return the number of writes by method."""
    before = lab.target.counts()
    lab.last = lab.service.run(lab.name)
    assert lab.last["state"] == "succeeded", lab.last
    after = lab.target.counts()
    del after["GET"], before["GET"]
    return dict(after - before)


def members(lab: Lab) -> set[str]:
    """Return the userNames of the group's members, up to the @."""
    names = {each["id"]: each["userName"] for each in lab.target.users()}
    [group] = lab.target.groups()
    assert len(group["members"]) == len({each["value"] for each in group["members"]})
    return {names[each["value"]].split("@")[0] for each in group["members"]}


def peaks(lab: Lab) -> list[int]:
    """Return the peak memory of the service and each child, in MB."""
    state = json.loads((lab.service.installed.state / "serve.json").read_text())
    found = []
    for pid in (state["pid"], *descendants(state["pid"])):
        status = Path(f"/proc/{pid}/status").read_text()
        found += [int(each) // 1024 for each in re.findall(r"VmHWM:\s+(\d+)", status)]
    return found


@pytest.mark.long
def test_group_of_fifty_thousand_is_created_and_updated_in_bounded_memory(
    crowd: Lab,
) -> None:
    lab, group = crowd, f"CN=crowd,{crowd.unit}"
    everybody = {f"v{number}" for number in range(SIZE)}

    assert written(lab) == {"POST": SIZE + 1, "PATCH": SIZE / AT_ONCE}
    assert lab.last["counts"]["memberAdd"] == SIZE
    assert members(lab) == everybody
    assert written(lab) == {}

    lab.dismiss(group, f"CN=v7,{lab.unit}")
    # Disabled, and removed from the group.
    assert written(lab) == {"PATCH": 2}
    assert members(lab) == everybody - {"v7"}

    lab.enlist(group, lab.person("newcomer"))
    assert written(lab) == {"POST": 1, "PATCH": 1}
    assert members(lab) == everybody - {"v7"} | {"newcomer"}
    assert written(lab) == {}

    declare(lab, nested=True)
    lab.enlist(group, lab.group("inner", lab.person("guest")))
    assert written(lab) == {"POST": 1}
    assert lab.last["cycle"] == "initial"
    assert written(lab) == {}
    assert max(peaks(lab)) < MEMORY
