"""Links in DirSync answers and in ranges."""

from __future__ import annotations

import pytest
from tests.support.bare_server import BareServer

from cloudforest.adapters.ldap import dirsync
from cloudforest.adapters.ldap.ber import SearchResultEntry
from cloudforest.adapters.ldap.dirsync import (
    DirSyncRead,
    entry_from_dirsync,
    entry_from_search,
)
from cloudforest.base.errors import Rejected

A = "<GUID=aaaaaaaa-0000-0000-0000-000000000000>;CN=A,DC=x"
B = "<GUID=bbbbbbbb-0000-0000-0000-000000000000>;CN=B,DC=x"


def test_delta_link_changes_become_members_added_and_removed():
    raw = SearchResultEntry(
        A,
        {
            "member;range=1-1": [A.encode()],
            "member;range=0-0": [B.encode()],
            "manager;range=0-0": [B.encode()],
            "mail": [],
        },
    )

    found = entry_from_dirsync(raw, full=False)

    assert found.dn == "CN=A,DC=x"
    assert [each[:8] for each in found.members] == ["aaaaaaaa"]
    assert [each[:8] for each in found.former_members] == ["bbbbbbbb"]
    assert found.attributes == {"mail": (), "manager": ()}
    assert found.partial


def test_full_read_ignores_links_removed_long_ago():
    raw = SearchResultEntry(
        A, {"member;range=0-0": [B.encode()], "manager;range=0-0": [B.encode()]}
    )

    found = entry_from_dirsync(raw, full=True)

    assert (found.members, found.former_members) == ((), ())
    assert found.attributes == {}
    assert not found.partial


def test_member_range_returns_the_next_index():
    cut = SearchResultEntry(A, {"member": [], "member;range=0-1499": [A.encode()]})
    last = SearchResultEntry(A, {"member;range=1500-*": [B.encode()]})

    assert entry_from_search(cut)[1] == 1500
    assert entry_from_search(last)[1] is None
    assert [each[:8] for each in entry_from_search(cut)[0].members] == ["aaaaaaaa"]


def test_server_without_dirsync_is_rejected():
    state = DirSyncRead("DC=x", "(a=b)", "(a=b)", attributes=[], cookie=b"")
    with pytest.raises(Rejected, match="ldaps://bare"):
        list(dirsync.read_changes(BareServer({}), state))
