"""What a DACL proves of an account's right to read an attribute."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.descriptors import (
    ALL_GENERIC,
    ALLOW,
    ALLOW_IF,
    ALLOW_OBJECT,
    ALLOW_OBJECT_IF,
    ANOTHER,
    DENY,
    DENY_IF,
    DENY_OBJECT,
    DENY_OBJECT_IF,
    GROUP,
    INHERIT_ONLY,
    INHERITED,
    ME,
    OTHER,
    READ,
    READ_GENERIC,
    TYPE,
    WRITE,
    ace,
    descriptor,
)

from cloudforest.adapters.ldap.access import AccessControlEntry, is_readable, read_aces


def reads(*aces: bytes) -> bool:
    return is_readable(read_aces(descriptor(*aces)), {ME, GROUP}, {TYPE})


@pytest.mark.parametrize(
    "granted",
    [
        ace(ALLOW),
        ace(ALLOW, GROUP, READ | WRITE, flags=INHERITED),
        ace(ALLOW_OBJECT, about=TYPE),
        ace(ALLOW_OBJECT, GROUP, flags=INHERITED, inherited=OTHER),
        ace(ALLOW_OBJECT, about=TYPE, inherited=OTHER),
    ],
    ids=["all", "of a group", "of the attribute", "inherited", "both types"],
)
def test_an_attribute_is_read_where_it_is_granted_and_not_denied(granted: bytes):
    assert reads(granted)
    assert reads(ace(DENY, ANOTHER), granted)
    assert reads(ace(DENY_OBJECT, about=OTHER), granted)
    assert reads(ace(DENY, mask=WRITE), granted)
    assert reads(ace(DENY, flags=INHERIT_ONLY), granted)


@pytest.mark.parametrize(
    "granted",
    [
        ace(ALLOW, ANOTHER),
        ace(ALLOW, mask=WRITE),
        ace(ALLOW, mask=READ_GENERIC),
        ace(ALLOW, flags=INHERIT_ONLY),
        ace(ALLOW_OBJECT, about=OTHER),
        ace(ALLOW_IF),
        ace(ALLOW_OBJECT_IF, about=TYPE),
    ],
)
def test_what_is_granted_to_others_or_of_something_else_proves_nothing(granted: bytes):
    assert not reads(granted)
    assert not reads()


@pytest.mark.parametrize(
    "denied",
    [
        ace(DENY),
        ace(DENY, GROUP, flags=INHERITED),
        ace(DENY, mask=READ_GENERIC),
        ace(DENY, mask=ALL_GENERIC),
        ace(DENY_OBJECT, about=TYPE),
        ace(DENY_OBJECT, about=TYPE, inherited=OTHER, flags=INHERITED),
        ace(DENY_OBJECT),
        ace(DENY_IF),
        ace(DENY_OBJECT_IF, about=TYPE),
    ],
)
def test_what_denies_it_is_enough_wherever_it_stands(denied: bytes):
    assert not reads(denied, ace(ALLOW))
    assert not reads(ace(ALLOW), denied)


def test_an_attribute_of_no_known_guid_is_not_read_by_a_grant_of_another():
    held = [AccessControlEntry(allows=True, trustee=ME, object_type_guid=TYPE)]
    assert not is_readable(held, {ME}, set())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x01\x00\x04\x80" + bytes(16),
        struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 20) + bytes(8),
        descriptor(ace(ALLOW))[:-4],
        descriptor(ace(0x02)),
        descriptor(ace(ALLOW)[:8] + bytes(3)),
    ],
    ids=["empty", "null DACL", "no DACL", "cut off", "an audit", "no SID"],
)
def test_what_is_not_understood_is_an_error(raw: bytes):
    with pytest.raises(ValueError, match=r"\w"):
        read_aces(raw)


@given(st.binary(max_size=80), st.integers(0, 60))
def test_no_bytes_break_it(noise: bytes, at: int):
    raw = bytearray(descriptor(ace(DENY_OBJECT, about=TYPE), ace(ALLOW)))
    raw[at : at + len(noise)] = noise
    try:
        held = read_aces(bytes(raw))
    except ValueError:
        return
    assert all(each.trustee.startswith("S-") for each in held)
