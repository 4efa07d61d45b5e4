"""Whether a DACL proves that an account can read an attribute."""

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
def test_attribute_is_readable_if_granted_and_not_denied(granted: bytes):
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
def test_unrelated_grants_do_not_make_an_attribute_readable(granted: bytes):
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
def test_one_deny_entry_is_enough_wherever_it_stands(denied: bytes):
    assert not reads(denied, ace(ALLOW))
    assert not reads(ace(ALLOW), denied)


def test_attribute_without_known_guid_is_not_readable_by_another_grant():
    aces = [AccessControlEntry(allows=True, trustee=ME, object_type_guid=TYPE)]
    assert not is_readable(aces, {ME}, set())


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
def test_malformed_descriptor_is_an_error(raw: bytes):
    with pytest.raises(ValueError, match=r"\w"):
        read_aces(raw)


@given(st.binary(max_size=80), st.integers(0, 60))
def test_random_bytes_raise_only_value_errors(noise: bytes, at: int):
    raw = bytearray(descriptor(ace(DENY_OBJECT, about=TYPE), ace(ALLOW)))
    raw[at : at + len(noise)] = noise
    try:
        aces = read_aces(bytes(raw))
    except ValueError:
        return
    assert all(each.trustee.startswith("S-") for each in aces)
