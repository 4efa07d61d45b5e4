"""The guarantees of every directory, over LDAP and LDIF."""

from __future__ import annotations

import pytest
from tests.servers.contoso import BASE, CONTRACTORS, GROUPS, PEOPLE, contractor, staff
from tests.servers.samba import Contoso

from cloudforest.model.messages import Lookup
from cloudforest.model.ports.directory import Directory, DirSyncCookie, Entry, EntryKind
from cloudforest.model.program import ObjectType

ATTRIBUTES = ["mail", "manager", "displayname", "samaccountname", "objectsid"]


async def everything(
    directory: Directory, kind: ObjectType, attributes: list[str]
) -> tuple[dict[str, Entry], DirSyncCookie]:
    items = [item async for item in directory.read_changes(kind, attributes, None)]
    cookie = items[-1]
    assert isinstance(cookie, DirSyncCookie)
    return {each.dn: each for each in items if isinstance(each, Entry)}, cookie


async def test_domain_is_identified_by_its_head(directory: Directory, contoso: Contoso):
    assert await directory.identify_domain() == contoso.samba.guid(BASE)


async def test_dns_are_resolved_and_keyed_as_given(
    directory: Directory, contoso: Contoso
):
    written = "ou=people, dc=CONTOSO,dc=com"

    found = await directory.resolve_dns(
        [PEOPLE, written, staff(3), f"OU=Gone,{BASE}", staff(1)]
    )

    assert found == {
        PEOPLE: contoso.samba.guid(PEOPLE),
        written: contoso.samba.guid(PEOPLE),
        staff(3): contoso.samba.guid(staff(3)),
        staff(1): contoso.samba.guid(staff(1)),
    }


async def test_members_are_direct_unless_nested_is_requested(
    directory: Directory, contoso: Contoso
):
    inner = contoso.samba.guid(f"CN=Cloud Staff,{GROUPS}")
    outer = f"CN=All of it,{GROUPS}"

    staff_members = await directory.read_members(
        f"CN=Cloud Staff,{GROUPS}", nested=False
    )
    direct = await directory.read_members(outer, nested=False)
    nested = await directory.read_members(outer, nested=True)

    assert len(staff_members.ids) == 25
    assert contoso.samba.guid(contractor(1)) in staff_members.ids
    assert direct.ids == {inner}
    assert nested.ids == {inner, *staff_members.ids}
    assert staff_members.is_complete
    assert nested.is_complete
    empty = await directory.read_members(f"CN=Empty,{GROUPS}", nested=True)
    assert empty.ids == frozenset()


@pytest.mark.parametrize("nested", [False, True])
async def test_primary_group_includes_its_primary_members(
    directory: Directory, contoso: Contoso, *, nested: bool
):
    """Its `member` lists nobody."""
    held = await directory.read_members(
        f"CN=Domain Users,CN=Users,{contoso.samba.base}", nested=nested
    )
    members = held.ids
    everybody = {contoso.samba.guid(staff(number)) for number in range(1, 25)}
    assert everybody <= members
    assert contoso.samba.guid(f"CN=Cloud Staff,{GROUPS}") not in members
    computers = f"CN=Domain Computers,CN=Users,{contoso.samba.base}"
    guests = await directory.read_members(computers, nested=nested)
    assert everybody.isdisjoint(guests.ids)


async def test_full_read_returns_each_person(directory: Directory, contoso: Contoso):
    people, cookie = await everything(directory, "user", ATTRIBUTES)

    sean = people[staff(2)]
    assert sean.object_guid == contoso.samba.guid(staff(2))
    assert sean.type == "user"
    assert sean.classes == {"top", "person", "organizationalperson", "user"}
    assert sean.parent == contoso.samba.guid(PEOPLE)
    assert not sean.is_deleted
    assert not sean.is_partial
    assert sean.attributes["displayname"] == ("Seán O'Brien",)
    assert sean.attributes["mail"] == ("p02@contoso.com",)
    assert sean.attributes["objectsid"][0].startswith("S-1-5-21-")
    assert sean.attributes["manager"] == (contoso.samba.guid(staff(1)),)
    assert "manager" not in people[staff(1)].attributes
    assert staff(3) in people
    assert cookie.is_complete


async def test_other_objects_of_class_user_show_their_classes(
    directory: Directory,
):
    people, _ = await everything(directory, "user", ATTRIBUTES)

    assert "computer" in people[f"CN=PC01,{PEOPLE}"].classes
    gmsa = people[f"CN=gmsa01,{PEOPLE}"]
    assert "msds-groupmanagedserviceaccount" in gmsa.classes
    assert f"CN=krbtgt,CN=Users,{BASE}" in people
    assert all("group" not in each.classes for each in people.values())


async def test_manager_elsewhere_in_the_domain_is_a_reference(
    directory: Directory, contoso: Contoso
):
    people, _ = await everything(directory, "user", ["manager"])

    outside = people[f"CN=Managed Outside,{PEOPLE}"]
    assert outside.attributes["manager"] == (contoso.samba.guid(contractor(1)),)


async def test_groups_have_their_members_by_objectguid(
    directory: Directory, contoso: Contoso
):
    groups, _ = await everything(directory, "group", ["member", "description"])

    berlin = groups[f"CN=Berlin,{GROUPS}"]
    assert set(berlin.members) == {
        contoso.samba.guid(staff(number)) for number in range(1, 25, 2)
    }
    assert berlin.former_members == ()
    assert "member" not in berlin.attributes
    assert groups[f"CN=Empty,{GROUPS}"].members == ()


async def test_contacts_are_read_as_contacts(directory: Directory):
    contacts, _ = await everything(directory, "contact", ["mail"])

    partner = contacts[f"CN=Partner One,{PEOPLE}"]
    assert partner.type == "contact"
    assert partner.attributes["mail"] == ("partner@fabrikam.com",)


async def test_delta_after_a_full_read_is_empty(directory: Directory):
    _, cookie = await everything(directory, "contact", ["mail"])

    read = directory.read_changes("contact", ["mail"], cookie.value)
    again = [item async for item in read]

    assert [item for item in again if isinstance(item, Entry)] == []
    assert isinstance(again[-1], DirSyncCookie)
    assert again[-1].is_complete


async def test_invalid_cookie_causes_a_full_read(
    directory: Directory,
):
    full, _ = await everything(directory, "user", ["mail"])

    for cookie in ("AAAA", "not base64!"):
        items = [
            item async for item in directory.read_changes("user", ["mail"], cookie)
        ]
        found = [item for item in items if isinstance(item, Entry)]
        assert {each.dn for each in found if not each.is_deleted} == set(full)
        assert not any(each.is_partial for each in found)


async def test_objects_are_read_by_guid_dn_and_attribute(
    directory: Directory, contoso: Contoso
):
    group = f"CN=Cloud Staff,{GROUPS}"
    lookups = [
        Lookup(by="guid", value=contoso.samba.guid(staff(5))),
        Lookup(by="dn", value=staff(3)),
        Lookup(by="dn", value=group),
        Lookup(by="dn", value=CONTRACTORS),
        Lookup(by="attribute", attribute="mail", value="P07@contoso.com"),
        Lookup(by="attribute", attribute="mail", value="*"),
        Lookup(by="guid", value="00000000-0000-0000-0000-000000000000"),
        Lookup(by="guid", value="not a guid"),
        Lookup(by="dn", value="not a name"),
    ]

    found = {
        each.dn: each
        async for each in directory.read_objects(lookups, ["mail", "manager", "member"])
        if not each.is_deleted
    }

    assert set(found) == {staff(5), staff(3), staff(7), group, CONTRACTORS}
    assert found[CONTRACTORS].type is None
    assert found[staff(5)].attributes["manager"] == (contoso.samba.guid(staff(1)),)
    assert len(found[group].members) == 25
    assert found[group].type == "group"


async def test_lookups_are_split_over_several_queries(
    directory: Directory, contoso: Contoso
):
    real = [contoso.samba.guid(staff(number)) for number in (1, 12, 24)]
    made_up = [f"00000000-0000-0000-0000-{number:012}" for number in range(250)]
    guids = [real[0], *made_up[:120], real[1], *made_up[120:], real[2]]

    found = [
        each.object_guid
        async for each in directory.read_objects(
            [Lookup(by="guid", value=guid) for guid in guids], []
        )
        if not each.is_deleted
    ]

    assert sorted(found) == sorted(real)


async def test_reader_can_stop_early(directory: Directory):
    async for first in directory.read_changes("user", ["mail"], None):
        assert isinstance(first, Entry)
        break

    assert await directory.identify_domain()


async def test_subtree_is_read_by_the_container_guid(
    directory: Directory, contoso: Contoso
):
    people = contoso.samba.guid(PEOPLE)

    async def below(kind: EntryKind) -> set[str]:
        read = directory.read_subtree(people, kind, ["mail", "member"])
        return {each.dn async for each in read}

    assert await below("container") == {PEOPLE, f"OU=Berlin,{PEOPLE}"}
    users = await below("user")
    assert {staff(number) for number in range(1, 25)} <= users
    assert contractor(1) not in users
    assert await below("contact") == {f"CN=Partner One,{PEOPLE}"}
    assert await below("group") == set()


async def test_groups_in_a_subtree_have_all_members(
    directory: Directory, contoso: Contoso
):
    groups = contoso.samba.guid(GROUPS)

    found = {
        each.dn: each.members
        async for each in directory.read_subtree(groups, "group", ["member"])
    }

    assert len(found[f"CN=Cloud Staff,{GROUPS}"]) == 25


async def test_subtree_of_an_unknown_container_is_empty(directory: Directory):
    nowhere = "00000000-0000-0000-0000-000000000001"

    assert [each async for each in directory.read_subtree(nowhere, "user", [])] == []


async def test_cookie_tells_whether_the_read_was_full(directory: Directory):
    for kind in ("container", "user"):
        first = [item async for item in directory.read_changes(kind, ["mail"], None)][
            -1
        ]
        assert isinstance(first, DirSyncCookie)
        assert first.is_full

        read = directory.read_changes(kind, ["mail"], first.value)
        second = [item async for item in read][-1]
        assert isinstance(second, DirSyncCookie)
        assert not second.is_full

        read = directory.read_changes(kind, ["mail"], "AAAA")
        refused = [item async for item in read][-1]
        assert isinstance(refused, DirSyncCookie)
        assert refused.is_full


async def test_members_are_read_only_if_requested(
    directory: Directory,
):
    group = f"CN=Cloud Staff,{GROUPS}"

    [found] = [
        each
        async for each in directory.read_objects([Lookup(by="dn", value=group)], ["cn"])
    ]

    assert found.members == ()
