"""An agent's answers over a real domain, also where DirSync reports nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import ldap3
import pytest
from msgspec import structs
from tests.servers.contoso import BASE
from tests.servers.samba import Contoso
from tests.support.ldap import over_ldap

from cloudforest.agent.answer import Responder
from cloudforest.model.messages import (
    Closing,
    InScope,
    Lookup,
    MovedContainers,
    OutOfScope,
    Record,
    ScopeMembers,
    SyncRequest,
    Tombstone,
    Unknown,
)
from cloudforest.model.program import ObjectType, ScopeProgram, TypeFilter
from cloudforest.program.scoping.filter_syntax import parse_filter

LAB = f"OU=Lab,{BASE}"
TEAM, GONE = f"OU=Team,{LAB}", f"OU=Gone,{LAB}"
TREE_DELETE = ("1.2.840.113556.1.4.805", True, None)
STAFF = TypeFilter(
    text='employeeType eq "staff"', tree=parse_filter('employeeType eq "staff"')
)


@dataclass
class Lab:
    """Two OUs of the domain, and a job that asks an agent about the first."""

    contoso: Contoso
    scope: ScopeProgram
    watermark: str | None = None
    bindings: dict[str, str] = field(default_factory=dict)
    asked: dict[ObjectType, tuple[str, ...]] = field(
        default_factory=lambda: {"user": ("mail",)}
    )

    async def ask(self, **fields: Any) -> tuple[list[Record], Closing]:
        request = SyncRequest(
            id="r1",
            job="people",
            domain="contoso.com",
            scope=self.scope,
            attributes=self.asked,
            bindings=self.bindings,
            **fields,
        )
        directories = {"contoso.com": over_ldap(self.contoso)}
        answer = Responder("sync01", directories, page_bytes=100_000)
        pages = [page async for page in answer(request)]
        assert pages[-1].closing is not None
        return [each for page in pages for each in page.records], pages[-1].closing

    async def changes(self) -> list[Record]:
        """Return the records of an import; the next one continues from there."""
        records, closing = await self.ask(kind="import", watermark=self.watermark)
        assert closing.complete, closing.error
        self.watermark, self.bindings = closing.watermark, closing.bindings
        return records

    async def about(self, *guids: str) -> list[Record]:
        lookups = tuple(Lookup(by="guid", value=guid) for guid in guids)
        return (await self.ask(kind="read", lookups=lookups))[0]

    def add(self, name: str, unit: str = TEAM, kind: str = "user") -> str:
        dn = f"CN={name},{unit}"
        lines = [f"dn: {dn}", f"objectClass: {kind}", f"sAMAccountName: {name}"]
        if kind == "user":
            lines += ["employeeType: staff", "userAccountControl: 544"]
        self.contoso.samba.add("\n".join(lines))
        return self.contoso.samba.guid(dn)

    def move(self, dn: str, name: str, superior: str | None = None) -> None:
        with self.contoso.samba.connection() as connection:
            connection.modify_dn(dn, name, new_superior=superior)

    def members(self, group: str, **changes: list[str]) -> None:
        operations = {"add": ldap3.MODIFY_ADD, "remove": ldap3.MODIFY_DELETE}
        with self.contoso.samba.connection() as connection:
            for how, dns in changes.items():
                connection.modify(group, {"member": [(operations[how], dns)]})


@pytest.fixture
def lab(contoso: Contoso) -> Iterator[Lab]:
    for dn in (LAB, TEAM, GONE):
        contoso.samba.add(f"dn: {dn}\nobjectClass: organizationalUnit")
    scope = ScopeProgram(
        types=("user",), organizational_units=(TEAM,), filters={"user": STAFF}
    )
    yield Lab(contoso, scope)
    with contoso.samba.connection() as connection:
        connection.delete(LAB, controls=[TREE_DELETE])


def kinds(records: list[Record]) -> list[tuple[type[Record], str]]:
    return [
        (type(each), each.id)
        for each in records
        if not isinstance(each, MovedContainers | ScopeMembers)
    ]


def states(records: list[Record]) -> tuple[set[str], set[str]]:
    """Return who is in scope, and who is out."""
    return (
        {each.id for each in records if isinstance(each, InScope)},
        {each.id for each in records if isinstance(each, OutOfScope)},
    )


async def test_people_enter_and_leave_scope_with_their_ou(lab: Lab):
    inner = f"OU=Inner,{TEAM}"
    lab.contoso.samba.add(f"dn: {inner}\nobjectClass: organizationalUnit")
    guid = lab.add("walker", inner)
    moved = lab.contoso.samba.guid(inner)
    await lab.changes()

    lab.move(inner, "OU=Inner", GONE)
    left = await lab.changes()
    lab.move(f"OU=Inner,{GONE}", "OU=Inner", TEAM)
    returned = await lab.changes()

    assert MovedContainers(ids=(moved,)) in left
    assert kinds(left) == [(OutOfScope, guid)]
    assert kinds(returned) == [(InScope, guid)]


async def test_scope_combines_ous_one_level_ous_and_exclusions(lab: Lab):
    old, deeper = f"OU=Old,{TEAM}", f"OU=Deeper,{GONE}"
    for dn in (old, deeper):
        lab.contoso.samba.add(f"dn: {dn}\nobjectClass: organizationalUnit")
    lab.scope = structs.replace(lab.scope, one_level=(GONE,), excepted=(old,))
    inside = {lab.add("inside"), lab.add("desk", GONE)}
    outside = {lab.add("leaver", old), lab.add("below", deeper)}
    elsewhere = lab.add("lab", LAB)

    whole = states(await lab.changes())
    assert whole[0] == inside
    assert {*outside, elsewhere} <= whole[1]

    lab.move(f"CN=inside,{TEAM}", "CN=inside", old)
    lab.move(f"CN=desk,{GONE}", "CN=desk", deeper)
    lab.move(f"CN=leaver,{old}", "CN=leaver", GONE)
    lab.move(f"CN=below,{deeper}", "CN=below", TEAM)
    assert states(await lab.changes()) == (outside, inside)

    lab.move(old, "OU=Old", LAB)
    moved = lab.contoso.samba.guid(f"CN=inside,OU=Old,{LAB}")
    assert states(await lab.changes()) == (set(), {moved})


async def test_filter_on_dns_is_evaluated_again_after_an_ou_rename(lab: Lab):
    text = 'not (dn co "ou=leavers")'
    chosen = TypeFilter(text=text, tree=parse_filter(text))
    lab.scope = structs.replace(lab.scope, filters={"user": chosen})
    inner = f"OU=Inner,{TEAM}"
    lab.contoso.samba.add(f"dn: {inner}\nobjectClass: organizationalUnit")
    guid = lab.add("named", inner)
    assert states(await lab.changes())[0] == {guid}

    lab.move(inner, "OU=Leavers")

    assert states(await lab.changes()) == (set(), {guid})


async def test_scope_follows_its_ou_through_rename_and_move(lab: Lab):
    guid = lab.add("stayer")
    await lab.changes()
    bound = dict(lab.bindings)

    lab.move(TEAM, "OU=Renamed", GONE)
    again = await lab.changes()

    assert kinds(again) == [(InScope, guid)]
    assert lab.bindings == bound == {TEAM: bound[TEAM]}
    assert kinds(await lab.about(guid)) == [(InScope, guid)]


async def test_ou_that_took_over_another_name_is_refused(lab: Lab):
    lab.add("somebody")
    await lab.changes()
    lab.move(TEAM, "OU=Before")
    lab.contoso.samba.add(f"dn: {TEAM}\nobjectClass: organizationalUnit")

    records, closing = await lab.ask(kind="import", watermark=lab.watermark)

    assert records == []
    assert "now resolves to another object" in (closing.error or "")
    assert "--reset Full" in (closing.error or "")


async def test_changes_respect_one_level_ous_and_exclusions(lab: Lab):
    below, above = f"OU=Below,{GONE}", f"OU=Inner,{TEAM}"
    for unit in (below, above, f"OU=Deep,{above}"):
        lab.contoso.samba.add(f"dn: {unit}\nobjectClass: organizationalUnit")
    expected = {lab.add("subtree"), lab.add("level", GONE), lab.add("inner", above)}
    lab.add("too-deep", below)
    lab.add("aside", LAB)
    lab.add("excepted", f"OU=Deep,{above}")
    lab.scope = ScopeProgram(
        types=("user",),
        organizational_units=(TEAM,),
        one_level=(GONE,),
        excepted=(f"OU=Deep,{above}",),
    )

    records = await lab.changes()

    assert {each.id for each in records if isinstance(each, InScope)} == expected


async def test_scoping_group_changes_are_seen_in_its_members(
    lab: Lab,
):
    people = [lab.add(name) for name in ("one", "two")]
    group = f"CN=Gate,{LAB}"
    lab.add("Gate", LAB, "group")
    lab.members(group, add=[f"CN=one,{TEAM}"])
    lab.scope = ScopeProgram(
        types=("user",), organizational_units=None, groups=(group,)
    )
    first = await lab.changes()
    assert ScopeMembers(ids=(people[0],)) in first

    lab.members(group, add=[f"CN=two,{TEAM}"], remove=[f"CN=one,{TEAM}"])
    second = await lab.changes()

    assert second == [ScopeMembers(ids=(people[1],))]
    assert set(kinds(await lab.about(*people))) == {
        (OutOfScope, people[0]),
        (InScope, people[1]),
    }
    assert await lab.changes() == []
    lab.move(group, "CN=Renamed gate")
    assert await lab.changes() == []
    assert lab.bindings == {group: lab.contoso.samba.guid(f"CN=Renamed gate,{LAB}")}


async def test_cleared_and_hidden_attributes_are_distinguished(lab: Lab):
    cleared, hidden = lab.add("cleared"), lab.add("hidden")
    records = await lab.changes()
    seen = {each.id: each.seen for each in records if isinstance(each, InScope)}
    assert seen == {cleared: ("employeetype",), hidden: ("employeetype",)}

    lab.contoso.samba.modify(f"CN=cleared,{TEAM}", employeeType=[])
    lab.contoso.samba.hide("svc-sync", "employeeType", f"CN=hidden,{TEAM}")
    lab.contoso.samba.modify(f"CN=hidden,{TEAM}", mail=["hidden@contoso.com"])
    changed = {each.id: each for each in await lab.changes() if hasattr(each, "id")}

    assert changed[cleared] == OutOfScope(id=cleared)
    assert changed[hidden] == OutOfScope(id=hidden, rests_on=("employeetype",))


async def test_change_of_a_hidden_attribute_does_not_clear_it(lab: Lab):
    samba = lab.contoso.samba
    changed, emptied = lab.add("changed"), lab.add("emptied")
    cleared = lab.add("other")
    await lab.changes()
    hidden = (f"CN=changed,{TEAM}", f"CN=emptied,{TEAM}")
    samba.hide("svc-sync", "employeeType", *hidden)
    samba.hide("svc-plain", "employeeType", f"CN=other,{TEAM}")

    samba.modify(hidden[0], employeeType=["STAFF"])
    for dn in (hidden[1], f"CN=other,{TEAM}"):
        samba.modify(dn, employeeType=[])
    answers = {each.id: each for each in await lab.changes() if hasattr(each, "id")}

    assert answers == {
        changed: OutOfScope(id=changed, rests_on=("employeetype",)),
        emptied: OutOfScope(id=emptied, rests_on=("employeetype",)),
        cleared: OutOfScope(id=cleared),
    }


async def test_mapped_attribute_is_missing_unless_proven_clear(lab: Lab):
    """Holds for a delta that names it, and for a read by objectGUID."""
    samba = lab.contoso.samba
    names = ("cleared", "hidden", "quiet")
    people = {name: lab.add(name) for name in names}
    for name in names:
        samba.modify(f"CN={name},{TEAM}", mail=[f"{name}@contoso.com"])
    first = [each for each in await lab.changes() if isinstance(each, InScope)]
    assert {each.missing for each in first} == {()}

    samba.hide("svc-sync", "mail", f"CN=hidden,{TEAM}", f"CN=quiet,{TEAM}")
    for name in ("cleared", "hidden"):
        samba.modify(f"CN={name},{TEAM}", mail=[])
    samba.modify(f"CN=quiet,{TEAM}", employeeType=["STAFF"])
    delta = {each.id: each for each in await lab.changes() if hasattr(each, "id")}
    lookups = tuple(Lookup(by="guid", value=guid) for guid in people.values())
    read, _ = await lab.ask(kind="read", lookups=lookups, prove=("mail",))

    for said in (delta, {each.id: each for each in read}):
        assert {name: said[guid].missing for name, guid in people.items()} == {
            "cleared": (),
            "hidden": ("mail",),
            "quiet": ("mail",),
        }


async def test_group_with_hidden_members_is_reported(lab: Lab):
    samba = lab.contoso.samba
    lab.scope = ScopeProgram(types=("group",), organizational_units=(TEAM,))
    lab.asked = {"group": ("cn", "member")}
    groups = {name: lab.add(name, TEAM, "group") for name in ("void", "veiled")}
    lab.add("one")
    lab.members(f"CN=veiled,{TEAM}", add=[f"CN=one,{TEAM}"])
    samba.hide("svc-sync", "member", f"CN=veiled,{TEAM}")
    lookups = tuple(Lookup(by="guid", value=guid) for guid in groups.values())

    read, _ = await lab.ask(kind="read", lookups=lookups, prove=("member",))

    said = {each.id: each.missing for each in read if isinstance(each, InScope)}
    assert said == {groups["void"]: (), groups["veiled"]: ("member",)}


async def test_deleted_object_is_gone_until_reanimated(lab: Lab):
    guid = lab.add("phoenix")
    dn = f"CN=phoenix,{TEAM}"
    await lab.changes()
    lab.contoso.samba.delete(dn)
    assert await lab.changes() == [Tombstone(id=guid)]
    assert await lab.about(guid) == [Tombstone(id=guid)]

    lab.contoso.samba.reanimate(guid, dn)
    # The tombstone has lost the value.
    lab.contoso.samba.modify(dn, employeeType=["staff"])

    assert kinds(await lab.changes()) == [(InScope, guid)]


async def test_object_created_and_deleted_between_imports_is_only_gone(lab: Lab):
    await lab.changes()
    guid = lab.add("mayfly")
    lab.contoso.samba.delete(f"CN=mayfly,{TEAM}")

    assert await lab.changes() == [Tombstone(id=guid)]


async def test_object_that_does_not_exist_is_unknown(lab: Lab):
    nobody = "00000000-0000-0000-0000-000000000001"

    assert await lab.about(nobody) == [Unknown(id=nobody)]


async def test_refused_cookie_causes_a_full_read_without_tombstones(lab: Lab):
    guid = lab.add("stable")
    lab.add("leaver")
    await lab.changes()
    lab.contoso.samba.delete(f"CN=leaver,{TEAM}")

    for watermark in ("", "bm9uc2Vuc2U="):
        records, closing = await lab.ask(kind="import", watermark=watermark)
        assert closing.full == ("user",)
        assert (InScope, guid) in kinds(records)
        assert not any(isinstance(each, Tombstone) for each in records)
