from __future__ import annotations

import pytest

from cloudforest.adapters.ldap import ber, filters
from cloudforest.adapters.ldap.ber import Ending, Raw, decode, message_end
from cloudforest.adapters.ldap.dirsync import from_dirsync, from_search
from cloudforest.base.errors import Rejected
from cloudforest.model.messages import Lookup

A = "<GUID=aaaaaaaa-0000-0000-0000-000000000000>;CN=A,DC=x"
B = "<GUID=bbbbbbbb-0000-0000-0000-000000000000>;CN=B,DC=x"


def test_a_filter_value_can_not_break_out_of_its_place():
    hostile = Lookup(by="attribute", attribute="mail", value="a)(objectClass=*\x00é")

    found = filters.any_of([hostile, Lookup(by="guid", value="not a guid")])

    assert found == "(|(mail=a\\29\\28objectClass\\3d\\2a\\00\\c3\\a9))"


def test_a_lookup_by_something_that_is_no_attribute_is_refused():
    with pytest.raises(Rejected, match="mail="):
        filters.any_of([Lookup(by="attribute", attribute="mail=", value="x")])


def test_nothing_that_can_exist_needs_no_query():
    assert filters.any_of([Lookup(by="guid", value="?")]) is None


def test_controls_are_encoded_as_their_specifications_say():
    cookie = bytes(200)

    request = ber.dirsync(ber.INCREMENTAL_VALUES, cookie).value

    assert request is not None
    assert request.startswith(bytes.fromhex("3081d4 020480000000 020100 0481c8"))
    assert ber.paged(500, b"").value == bytes.fromhex("3006020201f40400")
    reply = bytes.fromhex("300b 0201ff 020100 0403616263".replace(" ", ""))
    assert ber.dirsync_reply(reply) == (True, b"abc")


def test_an_ending_carries_its_code_its_text_and_its_controls():
    # searchResDone, code 12, message "no", with one critical control 1.2 = "abc".
    message = bytes.fromhex(
        "301f 020107 6509 0a010c 0400 04026e6f a00f 300d 0403312e32 0101ff 0403616263"
    )

    assert decode(message) == Ending(12, "no", {"1.2": b"abc"})


def test_a_message_is_cut_where_it_ends_and_not_before_it_is_there():
    whole = bytes.fromhex("3081 80") + bytes(128)

    assert message_end(bytearray(whole + b"next"), 0) == len(whole)
    for size in range(len(whole)):
        assert message_end(bytearray(whole[:size]), 0) is None


def test_link_changes_of_a_delta_are_members_gained_and_lost():
    raw = Raw(
        A,
        {
            "member;range=1-1": [A.encode()],
            "member;range=0-0": [B.encode()],
            "manager;range=0-0": [B.encode()],
            "mail": [],
        },
    )

    found = from_dirsync(raw, full=False)

    assert found.dn == "CN=A,DC=x"
    assert [each[:8] for each in found.members] == ["aaaaaaaa"]
    assert [each[:8] for each in found.former_members] == ["bbbbbbbb"]
    assert found.attributes == {"mail": (), "manager": ()}
    assert found.partial


def test_links_removed_long_ago_say_nothing_in_a_full_read():
    raw = Raw(A, {"member;range=0-0": [B.encode()], "manager;range=0-0": [B.encode()]})

    found = from_dirsync(raw, full=True)

    assert (found.members, found.former_members) == ((), ())
    assert found.attributes == {}
    assert not found.partial


def test_a_forced_range_says_where_to_go_on():
    cut = Raw(A, {"member": [], "member;range=0-1499": [A.encode()]})
    last = Raw(A, {"member;range=1500-*": [B.encode()]})

    assert from_search(cut)[1] == 1500
    assert from_search(last)[1] is None
    assert [each[:8] for each in from_search(cut)[0].members] == ["aaaaaaaa"]
