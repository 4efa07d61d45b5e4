from __future__ import annotations

import pytest

from cloudforest.adapters.directory_entries import (
    decode_value,
    split_extended_dn,
    to_reference,
)

GUID = "01020304-0506-0708-090a-0b0c0d0e0f10"
EXTENDED = f"<GUID={GUID}>;<SID=S-1-5-21-1-2-3-500>;CN=Ada,DC=x"


@pytest.mark.parametrize(
    ("attribute", "raw", "expected"),
    [
        ("objectguid", bytes.fromhex("0403020106050807090a0b0c0d0e0f10"), GUID),
        ("ms-ds-consistencyguid", b"abc", "YWJj"),
        (
            "objectsid",
            bytes.fromhex("010500000000000515000000010000000200000003000000f4010000"),
            "S-1-5-21-1-2-3-500",
        ),
        ("objectsid", b"\x01\x05\x00", "AQUA"),
        ("thumbnailphoto", b"text", "dGV4dA=="),
        ("description", "Zoë".encode(), "Zoë"),
        ("description", b"\xff\xfe", "//4="),
        ("employeeid", b"0123456789abcdef", "0123456789abcdef"),
    ],
)
def test_value_is_decoded_by_its_attribute(attribute: str, raw: bytes, expected: str):
    assert decode_value(attribute, raw) == expected


def test_extended_dn_becomes_an_objectguid():
    assert to_reference("manager", EXTENDED) == GUID
    assert (
        to_reference("manager", f"<GUID={GUID.replace('-', '')}>;CN=Ada,DC=x") == GUID
    )
    assert split_extended_dn(EXTENDED) == (GUID, "CN=Ada,DC=x")


def test_dn_attributes_and_plain_texts_keep_their_dn():
    assert to_reference("distinguishedname", EXTENDED) == "CN=Ada,DC=x"
    assert to_reference("description", "CN=Ada,DC=x") == "CN=Ada,DC=x"


def test_link_to_a_deleted_object_is_dropped():
    deleted = f"<GUID={GUID}>;CN=Ada\\0ADEL:{GUID},CN=Deleted Objects,DC=x"

    assert to_reference("member", deleted) is None


@pytest.mark.parametrize("prefix", ["B:4:0001:", "S:5:a:b c:", "S:2:é:"])
def test_dn_with_binary_or_string_keeps_its_prefix(prefix: str):
    assert to_reference("publicdelegates", prefix + EXTENDED) == prefix + GUID
    deleted = f"{prefix}<GUID={GUID}>;CN=Ada\\0ADEL:{GUID},DC=x"
    assert to_reference("publicdelegates", deleted) is None
