"""Whether accounts with all, some or no rights can see deletions."""

from __future__ import annotations

import pytest
from tests.servers.contoso import PEOPLE, Account
from tests.servers.samba import Contoso
from tests.support.ldap import over_ldap

from cloudforest.adapters.ldap.directory import LdapDirectory
from cloudforest.base.secrets import Secret
from cloudforest.model.ports.directory import DirSyncCookie

REPLICATE = "Replicating Directory Changes"
SEE_DELETED = "read and list CN=Deleted Objects"


@pytest.fixture(scope="session")
def replicating(contoso: Contoso) -> Account:
    """An account that may replicate, but may not see deleted objects."""
    account = contoso.samba.account("svc-repl")
    contoso.samba.let_replicate("svc-repl")
    return account


async def lacking(directory: LdapDirectory) -> tuple[str, ...]:
    async for item in directory.read_changes("contact", ["mail"], None):
        if isinstance(item, DirSyncCookie):
            return await directory.list_missing_rights()
    return pytest.fail("The read ended without a cookie.")


def as_account(contoso: Contoso, account: Account) -> LdapDirectory:
    return over_ldap(
        contoso, username=account.username, password=Secret(account.password)
    )


async def test_missing_rights_are_listed(contoso: Contoso, replicating: Account):
    # A tombstone that only privileged accounts see.
    dn = f"CN=Deleted,{PEOPLE}"
    contoso.samba.add(
        f"dn: {dn}\nobjectClass: user\nsAMAccountName: deleted\nuserAccountControl: 544"
    )
    contoso.samba.delete(dn)

    assert await lacking(over_ldap(contoso)) == ()
    assert await lacking(as_account(contoso, replicating)) == (SEE_DELETED,)
    plain = as_account(contoso, contoso.unprivileged)
    assert await lacking(plain) == (REPLICATE, SEE_DELETED)


async def test_deletion_is_not_reported_without_the_right_to_see_it(
    contoso: Contoso, replicating: Account
):
    """The reason for listing rights: nothing fails without them."""
    dn = f"CN=Silent,{PEOPLE}"
    contoso.samba.add(
        f"dn: {dn}\nobjectClass: user\nsAMAccountName: silent\nuserAccountControl: 544"
    )
    blind, seeing = as_account(contoso, replicating), over_ldap(contoso)
    cookies = [await _cookie(each) for each in (blind, seeing)]
    guid = contoso.samba.guid(dn)
    contoso.samba.delete(dn)

    assert guid not in await _deleted(blind, cookies[0])
    assert guid in await _deleted(seeing, cookies[1])


async def _cookie(directory: LdapDirectory) -> str | None:
    last = [item async for item in directory.read_changes("user", ["mail"], None)][-1]
    assert isinstance(last, DirSyncCookie)
    return last.value


async def _deleted(directory: LdapDirectory, cookie: str | None) -> set[str]:
    read = directory.read_changes("user", ["mail"], cookie)
    return {
        each.object_guid
        async for each in read
        if not isinstance(each, DirSyncCookie) and each.is_deleted
    }
