"""Two domains of a forest, on two controllers, with members in each other's groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import ldap3
import pytest
from tests.servers.abroad import add_member, remove_member
from tests.servers.contoso import BASE, staff
from tests.servers.samba import Contoso, Samba
from tests.support.ldap import over_ldap

from cloudforest.adapters.ldap.directory import LdapDirectory
from cloudforest.agent.answer import Responder
from cloudforest.base.secrets import Secret
from cloudforest.model.messages import (
    Closing,
    InScope,
    Lookup,
    Members,
    OutOfScope,
    Record,
    ScopeMembers,
    SyncRequest,
)
from cloudforest.model.ports.directory import Directory, ForeignMember
from cloudforest.model.program import ObjectType, ScopeProgram

LAB = "lab.contoso.com"
HOME = f"OU=Border,{BASE}"
GATE, WAY = f"CN=Gate,{HOME}", f"CN=Way,{HOME}"
UNIT = f"OU=Border,DC=lab,{BASE}"
BRIDGE, TUNNEL, EVE = (f"CN={each},{UNIT}" for each in ("Bridge", "Tunnel", "Eve"))
TREE_DELETE = ("1.2.840.113556.1.4.805", True, None)


def _groups(*dns: str) -> str:
    lines = ("objectClass: group", "groupType: -2147483640")
    return "\n\n".join("\n".join((f"dn: {dn}", *lines)) for dn in dns)


@dataclass
class Forest:
    """A job of contoso.com, and an agent that serves these domains."""

    contoso: Contoso
    lab: Samba
    scope: ScopeProgram
    serves: tuple[str, ...] = ("contoso.com", LAB)
    watermark: str | None = None
    bindings: dict[str, str] = field(default_factory=dict)
    nested: tuple[str, ...] = ()
    asked: dict[ObjectType, tuple[str, ...]] = field(
        default_factory=lambda: {"user": ("mail",)}
    )

    def directory(self, domain: str) -> Directory:
        if domain != LAB:
            return over_ldap(self.contoso)
        return over_ldap(
            self.contoso,
            domain=LAB,
            urls=[self.lab.url],
            ca=str(self.lab.ca),
            username=self.lab.user,
            password=Secret(self.lab.password),
        )

    async def ask(self, **fields: Any) -> tuple[list[Record], Closing]:
        request = SyncRequest(
            id="r1",
            job="people",
            domain="contoso.com",
            scope=self.scope,
            attributes=self.asked,
            bindings=self.bindings,
            nested=self.nested,
            **fields,
        )
        directories = {name: self.directory(name) for name in self.serves}
        answer = Responder("sync01", directories, page_bytes=100_000)
        pages = [page async for page in answer(request)]
        assert pages[-1].closing is not None
        return [each for page in pages for each in page.records], pages[-1].closing

    async def changes(self) -> list[Record]:
        """Return the records of an import; the next one continues from there."""
        records, closing = await self.ask(kind="import", watermark=self.watermark)
        assert closing.complete, closing.error
        self.watermark, self.bindings = closing.watermark, closing.bindings
        self.nested = closing.nested
        return records

    async def about(self, guid: str) -> Record:
        lookups = (Lookup(by="guid", value=guid),)
        return (await self.ask(kind="read", lookups=lookups))[0][0]

    def modify(self, group: str, **changes: str) -> None:
        operations = {"add": ldap3.MODIFY_ADD, "remove": ldap3.MODIFY_DELETE}
        with self.contoso.samba.connection() as connection:
            for how, dn in changes.items():
                connection.modify(group, {"member": [(operations[how], [dn])]})


@pytest.fixture
def forest(contoso: Contoso, lab_domain: Samba) -> Iterator[Forest]:
    lab = lab_domain
    for samba, unit, groups in (
        (contoso.samba, HOME, (GATE, WAY)),
        (lab, UNIT, (BRIDGE, TUNNEL)),
    ):
        samba.add(f"dn: {unit}\nobjectClass: organizationalUnit")
        samba.add(_groups(*groups))
    lab.add(f"dn: {EVE}\nobjectClass: user\nsAMAccountName: eve")
    yield Forest(
        contoso,
        lab,
        ScopeProgram(types=("user",), organizational_units=None, groups=(GATE,)),
    )
    for samba, unit in ((contoso.samba, HOME), (lab, UNIT)):
        with samba.connection() as connection:
            connection.delete(unit, controls=[TREE_DELETE])


def scope_members(records: list[Record]) -> set[str]:
    return {
        guid for each in records if isinstance(each, ScopeMembers) for guid in each.ids
    }


def in_scope(records: list[Record]) -> set[str]:
    return {each.id for each in records if isinstance(each, InScope)}


async def test_foreign_member_is_read_with_its_objectguid(
    forest: Forest,
):
    ann, eve = forest.contoso.samba.guid(staff(1)), forest.lab.guid(EVE)
    forest.modify(GATE, add=staff(1))
    add_member(forest.contoso.samba, GATE, eve, EVE)
    directory = forest.directory("contoso.com")

    for nested in (False, True):
        held = await directory.read_members(GATE, nested=nested)
        assert held.ids == {ann}
        assert held.foreign == {ForeignMember(EVE, eve)}
        assert held.is_complete


async def test_mapped_group_includes_foreign_members(forest: Forest):
    """Holds for a full read and a lookup, without reading the other domain."""
    ann, eve = forest.contoso.samba.guid(staff(1)), forest.lab.guid(EVE)
    forest.modify(GATE, add=staff(1))
    add_member(forest.contoso.samba, GATE, eve, EVE)
    forest.scope = ScopeProgram(types=("group",), organizational_units=(HOME,))
    forest.asked, forest.serves = {"group": ("cn", "member")}, ("contoso.com",)
    gate = forest.contoso.samba.guid(GATE)
    lookups = (Lookup(by="guid", value=gate),)

    for records in (
        await forest.changes(),
        (await forest.ask(kind="read", lookups=lookups))[0],
    ):
        named = [each for each in records if isinstance(each, Members)]
        members = {guid for each in named if each.id == gate for guid in each.add}
        assert members == {ann, eve}


async def test_foreign_members_do_not_enter_the_scope(forest: Forest):
    """Nobody asks for a foreign person or group, and they do not stop the import."""
    ann = forest.contoso.samba.guid(staff(1))
    forest.modify(GATE, add=staff(1))
    await forest.changes()
    add_member(forest.contoso.samba, GATE, forest.lab.guid(EVE), EVE)
    add_member(forest.contoso.samba, GATE, forest.lab.guid(BRIDGE), BRIDGE)

    assert await forest.changes() == []
    for serves in (("contoso.com",), ("contoso.com", LAB)):
        forest.watermark, forest.serves = None, serves
        first = await forest.changes()
        assert scope_members(first) == in_scope(first) == {ann}


async def test_member_of_another_forest_adds_nobody_to_the_scope(forest: Forest):
    """Its foreignSecurityPrincipal is an object in the group's own domain."""
    stands_for = "S-1-5-21-1-2-3-1234"
    forest.scope = ScopeProgram(
        types=("user",), organizational_units=None, groups=(GATE,), nested_groups=True
    )
    await forest.changes()

    forest.modify(GATE, add=f"<SID={stands_for}>")
    entered = await forest.changes()

    principals = f"CN=ForeignSecurityPrincipals,{BASE}"
    guid = forest.contoso.samba.guid(f"CN={stands_for},{principals}")
    assert entered == [ScopeMembers(ids=(guid,))]
    assert await forest.about(guid) == OutOfScope(id=guid, clause="type: other")


@pytest.fixture
def bridged(forest: Forest) -> Forest:
    """Staff 2 is in scope through Gate, then Bridge and Tunnel in lab, then Way."""
    contoso, lab = forest.contoso.samba, forest.lab
    forest.scope = ScopeProgram(
        types=("user",), organizational_units=None, groups=(GATE,), nested_groups=True
    )
    forest.modify(GATE, add=staff(1))
    add_member(contoso, GATE, lab.guid(BRIDGE), BRIDGE)
    with lab.connection() as connection:
        connection.modify(BRIDGE, {"member": [(ldap3.MODIFY_ADD, [TUNNEL])]})
    add_member(lab, TUNNEL, contoso.guid(WAY), WAY)
    forest.modify(WAY, add=staff(2))
    # A circle through both domains.
    add_member(lab, TUNNEL, contoso.guid(GATE), GATE)
    return forest


async def test_membership_through_a_foreign_group_counts(bridged: Forest):
    contoso = bridged.contoso.samba
    ann, bob, cid = (contoso.guid(staff(number)) for number in (1, 2, 3))

    first = await bridged.changes()
    add_member(bridged.lab, BRIDGE, cid, staff(3))
    entered = await bridged.changes()
    remove_member(bridged.lab, TUNNEL, contoso.guid(WAY))
    left = await bridged.changes()

    groups = {contoso.guid(GATE), contoso.guid(WAY)}
    assert scope_members(first) == {ann, bob} | groups
    assert in_scope(first) == {ann, bob}
    assert scope_members(entered) == {ann, bob, cid} | groups
    assert scope_members(left) == {ann, cid, contoso.guid(GATE)}
    assert await bridged.about(bob) == OutOfScope(id=bob, clause="groups")


async def test_unread_domain_proves_nothing_about_its_groups(
    bridged: Forest,
):
    bob = bridged.contoso.samba.guid(staff(2))
    await bridged.changes()
    followed = bridged.nested

    bridged.serves = ("contoso.com",)
    away = await bridged.changes()
    hidden = await bridged.about(bob)
    bridged.serves = ("contoso.com", LAB)
    back = await bridged.changes()

    assert bob not in scope_members(away)
    assert isinstance(hidden, OutOfScope)
    gate = bridged.contoso.samba.guid(GATE)
    assert hidden.rests_on == (f"member:{gate}",)
    assert bob in scope_members(back)
    assert bridged.nested == followed


async def test_silent_controller_of_another_domain_does_not_block(
    bridged: Forest, monkeypatch: pytest.MonkeyPatch
):
    await bridged.changes()
    bob = bridged.contoso.samba.guid(staff(2))

    def silent(_: Forest, domain: str) -> LdapDirectory:
        nowhere = {} if domain != LAB else {"urls": ["ldaps://127.0.0.1:1"]}
        return over_ldap(bridged.contoso, domain=domain, **nowhere)

    monkeypatch.setattr(Forest, "directory", silent)
    hidden = await bridged.about(bob)

    assert isinstance(hidden, OutOfScope)
    assert hidden.rests_on


async def test_scope_can_name_a_group_of_another_domain(forest: Forest):
    contoso, lab = forest.contoso.samba, forest.lab
    ann, bob = contoso.guid(staff(1)), contoso.guid(staff(2))
    forest.scope = ScopeProgram(
        types=("user",), organizational_units=None, groups=(BRIDGE,)
    )
    with lab.connection() as connection:
        connection.modify(BRIDGE, {"member": [(ldap3.MODIFY_ADD, [EVE])]})
    add_member(lab, BRIDGE, ann, staff(1))

    first = await forest.changes()
    add_member(lab, BRIDGE, bob, staff(2))
    remove_member(lab, BRIDGE, ann)
    second = await forest.changes()
    gone = await forest.about(ann)
    with lab.connection() as connection:
        connection.modify_dn(BRIDGE, "CN=Renamed bridge")
    third = await forest.changes()

    assert scope_members(first) == in_scope(first) == {ann}
    assert second == [ScopeMembers(ids=(bob,))]
    assert gone == OutOfScope(id=ann, clause="groups")
    assert third == []
    assert forest.bindings == {BRIDGE: lab.guid(f"CN=Renamed bridge,{UNIT}")}


async def test_group_of_an_unread_domain_is_an_error(
    forest: Forest,
):
    forest.scope = ScopeProgram(
        types=("user",), organizational_units=None, groups=(BRIDGE,)
    )
    forest.serves = ("contoso.com",)

    records, closing = await forest.ask(kind="import")

    assert records == []
    assert f"Add {LAB} to each agent of contoso.com" in (closing.error or "")


async def test_ou_of_another_domain_is_an_error(forest: Forest):
    forest.scope = ScopeProgram(types=("user",), organizational_units=(UNIT,))

    _, closing = await forest.ask(kind="import")

    assert f"names {UNIT}, not found in contoso.com" in (closing.error or "")
