"""What a DirSync answer says of links."""

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


def test_link_changes_of_a_delta_are_members_gained_and_lost():
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


def test_links_removed_long_ago_say_nothing_in_a_full_read():
    raw = SearchResultEntry(
        A, {"member;range=0-0": [B.encode()], "manager;range=0-0": [B.encode()]}
    )

    found = entry_from_dirsync(raw, full=True)

    assert (found.members, found.former_members) == ((), ())
    assert found.attributes == {}
    assert not found.partial


def test_a_forced_range_says_where_to_go_on():
    cut = SearchResultEntry(A, {"member": [], "member;range=0-1499": [A.encode()]})
    last = SearchResultEntry(A, {"member;range=1500-*": [B.encode()]})

    assert entry_from_search(cut)[1] == 1500
    assert entry_from_search(last)[1] is None
    assert [each[:8] for each in entry_from_search(cut)[0].members] == ["aaaaaaaa"]


def test_a_server_that_does_not_know_dirsync_is_refused():
    talk = DirSyncRead("DC=x", "(a=b)", "(a=b)", attributes=[], cookie=b"")
    with pytest.raises(Rejected, match="ldaps://bare"):
        list(dirsync.read_changes(BareServer({}), talk))
