"""Groups of 5,000: reads return all members, deltas only the changed ones.

Windows sends 1,500 values of an attribute at once. Samba sends all of them unless a
range is requested, so these tests request the ranges that Windows would force.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

import ldap3
import pytest
from tests.servers.contoso import BASE, staff
from tests.servers.samba import Contoso
from tests.support.ldap import over_ldap

from cloudforest.adapters.ldap.ber import SearchResultDone, SearchResultEntry
from cloudforest.adapters.ldap.session import Session
from cloudforest.agent.answer import Responder
from cloudforest.model.messages import (
    InScope,
    Lookup,
    Members,
    Page,
    Record,
    SyncRequest,
)
from cloudforest.model.ports.directory import DirSyncCookie
from cloudforest.model.program import ScopeProgram

# Other tests count the members of the other groups.
UNIT = f"OU=Crowd,{BASE}"
CROWD = f"CN=Crowd,{UNIT}"
SIZE = 5_000
AT_ONCE = 1_500

POPULATE = """
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

folder, unit, group, size = sys.argv[1:]
lp = LoadParm()
lp.load(f"{folder}/etc/smb.conf")
db = SamDB(
    f"{folder}/private/sam.ldb",
    session_info=system_session(lp),
    lp=lp,
    options=["batch_mode:1"],
)
db.transaction_start()
db.add({"dn": unit, "objectClass": "organizationalUnit"})
people = [f"CN=c{number},{unit}" for number in range(int(size))]
for person in people:
    db.add({"dn": person, "objectClass": "contact"})
db.add({"dn": group, "objectClass": "group", "member": people})
db.transaction_commit()
"""


@pytest.fixture(scope="session")
def crowd(contoso: Contoso) -> str:
    """The objectGUID of a group of 5,000 contacts."""
    contoso.samba.locally(POPULATE, UNIT, CROWD, str(SIZE))
    return contoso.samba.guid(CROWD)


def _cut(attribute: str) -> str:
    match = re.fullmatch(r"member(?:;range=(\d+)-\*)?", attribute)
    if match is None:
        return attribute
    start = int(match[1] or 0)
    return f"member;range={start}-{start + AT_ONCE - 1}"


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cut `member` into ranges, as Windows does; return the requested ranges."""
    searched: list[str] = []
    search = Session.search

    def cut(
        session: Session, base: str, scope: str, **how: Any
    ) -> Generator[SearchResultEntry, None, SearchResultDone]:
        if not any("1.4.841" in control.oid for control in how.get("controls", ())):
            how["attributes"] = [_cut(each) for each in how["attributes"]]
            searched.extend(each for each in how["attributes"] if "range" in each)
        return search(session, base, scope, **how)

    monkeypatch.setattr(Session, "search", cut)
    return searched


async def test_group_is_read_with_all_members(
    contoso: Contoso, crowd: str, parts: list[str]
):
    directory = over_ldap(contoso)
    by_guid = [Lookup(by="guid", value=crowd)]

    [read] = [each async for each in directory.read_objects(by_guid, ["member"])]
    below = {
        each.object_guid: each.members
        async for each in directory.read_subtree(
            contoso.samba.guid(UNIT), "group", ["member"]
        )
    }

    assert len(set(read.members)) == len(read.members) == SIZE
    assert set(below[crowd]) == set(read.members)
    assert (await directory.read_members(CROWD, nested=False)).ids == set(read.members)
    assert parts[:4] == [
        f"member;range={start}-{start + AT_ONCE - 1}"
        for start in (0, 1_500, 3_000, 4_500)
    ]


async def answered(contoso: Contoso, **fields: Any) -> tuple[list[Record], Page]:
    defaults: dict[str, Any] = {
        "id": "r1",
        "job": "groups",
        "domain": "contoso.com",
        "scope": ScopeProgram(types=("group",), organizational_units=(UNIT,)),
        "attributes": {"group": ("cn", "member")},
    }
    directories = {"contoso.com": over_ldap(contoso)}
    answer = Responder("sync01", directories, page_bytes=100_000)
    pages = [page async for page in answer(SyncRequest(**{**defaults, **fields}))]
    return [record for page in pages for record in page.records], pages[-1]


async def test_read_answer_contains_all_members_in_parts(
    contoso: Contoso, crowd: str, parts: list[str]
):
    records, _ = await answered(
        contoso, kind="read", lookups=(Lookup(by="guid", value=crowd),)
    )

    described, *members = records
    assert isinstance(described, InScope)
    added = [guid for each in members if isinstance(each, Members) for guid in each.add]
    assert len(members) == 10
    assert len(set(added)) == SIZE
    assert parts


async def test_one_added_member_is_one_member_in_a_delta(
    contoso: Contoso, crowd: str, parts: list[str]
):
    _, first = await answered(contoso, kind="import")
    assert first.closing is not None
    with contoso.samba.connection() as connection:
        connection.modify(CROWD, {"member": [(ldap3.MODIFY_ADD, [staff(1)])]})
    parts.clear()

    records, last = await answered(
        contoso, kind="import", watermark=first.closing.watermark
    )

    assert [each for each in records if isinstance(each, Members)] == [
        Members(id=crowd, add=(contoso.samba.guid(staff(1)),))
    ]
    # The other members were not requested.
    assert parts == []
    assert last.closing is not None
    assert last.closing.full == ()
    with contoso.samba.connection() as connection:
        connection.modify(CROWD, {"member": [(ldap3.MODIFY_DELETE, [staff(1)])]})


async def test_full_read_contains_all_members(contoso: Contoso, crowd: str):
    members: list[str] = []
    read = over_ldap(contoso).read_changes("group", ["member"], None)
    async for each in read:
        if not isinstance(each, DirSyncCookie) and each.object_guid == crowd:
            members += each.members

    assert len(set(members)) == SIZE
