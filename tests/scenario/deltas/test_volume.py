"""Five thousand of everything at once: people, members of one group, changes."""

from __future__ import annotations

import pytest
from tests.support.lab import Lab

SIZE = 5_000
FILL = """
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

folder, unit, size, title = sys.argv[1:]
lp = LoadParm()
lp.load(f"{folder}/etc/smb.conf")
db = SamDB(
    f"{folder}/private/sam.ldb",
    session_info=system_session(lp),
    lp=lp,
    options=["batch_mode:1"],
)
name = unit.split(",")[0].removeprefix("OU=")
people = [f"CN=v{number},{unit}" for number in range(int(size))]
db.transaction_start()
if title:
    for dn in people:
        change = f"changetype: modify\\nreplace: title\\ntitle: {title}"
        db.modify_ldif(f"dn: {dn}\\n{change}\\n")
else:
    for number, dn in enumerate(people):
        # A longer transaction is slower for each that is in it.
        if number % 2_000 == 0:
            db.transaction_commit()
            db.transaction_start()
        upn = f"v{number}@{name}.contoso.com"
        db.add({"dn": dn, "objectClass": "user", "sAMAccountName": f"v{number}.{name}",
                "userPrincipalName": upn, "displayName": f"v{number}",
                "userAccountControl": "512"})
    db.add({"dn": f"CN=crowd,{unit}", "objectClass": "group",
            "displayName": "crowd", "member": people})
db.transaction_commit()
"""


def _fill(lab: Lab, title: str = "") -> None:
    lab.service.samba.locally(FILL, lab.unit, str(SIZE), title)


@pytest.mark.long
def test_thousands_arrive_change_and_leave_their_group(lab: Lab) -> None:
    _fill(lab)
    lab.cycle()
    assert lab.last["counts"]["create"] == SIZE + 1
    assert lab.last["counts"]["memberAdd"] == SIZE
    assert len(lab.groups()["crowd"]) == SIZE
    lab.settled()

    _fill(lab, title="Engineer")
    lab.cycle()
    assert lab.last["counts"]["update"] == SIZE
    assert {each["title"] for each in lab.target.users()} == {"Engineer"}
    lab.settled()

    lab.dismiss(f"CN=crowd,{lab.unit}", f"CN=v7,{lab.unit}")
    assert len(lab.cycle()) == 1
    assert len(lab.groups()["crowd"]) == SIZE - 1
    lab.settled()
