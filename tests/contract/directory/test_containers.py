"""Which changes of containers DirSync reports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.servers.contoso import BASE, PEOPLE
from tests.servers.samba import Contoso
from tests.support.ldap import over_ldap

from cloudforest.adapters.ldap.directory import LdapDirectory
from cloudforest.model.ports.directory import DirSyncCookie, Entry

HERE, THERE = f"OU=Here,{BASE}", f"OU=There,{BASE}"
INNER = f"OU=Inner,{HERE}"
TREE_DELETE = ("1.2.840.113556.1.4.805", True, None)


def add_unit(contoso: Contoso, dn: str) -> str:
    contoso.samba.add(f"dn: {dn}\nobjectClass: organizationalUnit")
    return contoso.samba.guid(dn)


def rename(contoso: Contoso, dn: str, name: str, superior: str | None = None) -> None:
    with contoso.samba.connection() as connection:
        connection.modify_dn(dn, name, new_superior=superior)


async def said(
    directory: LdapDirectory, cookie: str | None
) -> tuple[dict[str, Entry], str | None]:
    items = [each async for each in directory.read_changes("container", (), cookie)]
    end = items[-1]
    assert isinstance(end, DirSyncCookie)
    return {
        each.object_guid: each for each in items if isinstance(each, Entry)
    }, end.value


@pytest.fixture
def units(contoso: Contoso) -> Iterator[dict[str, str]]:
    dns = (HERE, THERE, INNER)
    made = {dn: add_unit(contoso, dn) for dn in dns}
    contoso.samba.add(
        f"dn: CN=Inside,{INNER}\nobjectClass: user\nsAMAccountName: inside\n"
        "userAccountControl: 544"
    )
    yield made
    with contoso.samba.connection() as connection:
        for guid in (made[HERE], made[THERE]):
            connection.delete(f"<GUID={guid}>", controls=[TREE_DELETE])


async def test_renamed_and_moved_ous_are_reported_without_their_contents(
    contoso: Contoso, units: dict[str, str]
):
    directory = over_ldap(contoso)
    first, cookie = await said(directory, None)
    assert {*units.values(), contoso.samba.guid(PEOPLE)} <= set(first)
    people = [item async for item in directory.read_changes("user", ["mail"], None)][-1]
    assert isinstance(people, DirSyncCookie)

    rename(contoso, HERE, "OU=Renamed")
    rename(contoso, f"OU=Inner,OU=Renamed,{BASE}", "OU=Inner", THERE)

    changed, cookie = await said(directory, cookie)
    assert {guid: each.dn for guid, each in changed.items()} == {
        units[HERE]: f"OU=Renamed,{BASE}",
        units[INNER]: f"OU=Inner,{THERE}",
    }
    assert all(each.is_partial for each in changed.values())
    read = directory.read_changes("user", ["mail"], people.value)
    assert [item async for item in read if isinstance(item, Entry)] == []
    found = directory.read_subtree(units[INNER], "user", [])
    assert [each.dn async for each in found] == [f"CN=Inside,OU=Inner,{THERE}"]


@pytest.mark.usefixtures("units")
async def test_other_changes_of_an_ou_are_not_reported(contoso: Contoso):
    directory = over_ldap(contoso)
    _, cookie = await said(directory, None)
    contoso.samba.modify(HERE, description=["Changed"])

    assert (await said(directory, cookie))[0] == {}


async def test_new_ou_is_reported_and_deleted_ou_is_a_tombstone(
    contoso: Contoso,
):
    directory = over_ldap(contoso)
    _, cookie = await said(directory, None)
    new = f"OU=New,{BASE}"
    guid = add_unit(contoso, new)
    changed, cookie = await said(directory, cookie)
    assert list(changed) == [guid]

    contoso.samba.delete(new)

    changed, _ = await said(directory, cookie)
    assert [(each.object_guid, each.is_deleted) for each in changed.values()] == [
        (guid, True)
    ]
