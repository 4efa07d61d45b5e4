from __future__ import annotations

from pathlib import Path

import pytest

from cloudforest.adapters.ldif.reader import (
    LdifEntry,
    Trailer,
    attribute_pattern,
    read_ldif,
)
from cloudforest.base.errors import Misconfigured, Rejected

ALL = attribute_pattern(["cn", "description", "mail", "member", "objectguid"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "contoso.ldif"


def records(file: Path, text: str | bytes) -> list[LdifEntry]:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [each for each in read_ldif(file) if isinstance(each, LdifEntry)]


def test_folded_lines_are_joined_at_any_position(file: Path):
    text = (
        "version: 1\n\ndn: CN=A\n da,DC=x\ndesc\n ription: one\n   two\ncn:: QW\n Rh\n"
    )

    [record] = records(file, text)

    assert record.dn == "CN=Ada,DC=x"
    assert record.attribute_values(ALL) == {
        "description": [b"one  two"],
        "cn": [b"Ada"],
    }


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_records_are_separated_by_blank_lines_with_any_line_end(
    file: Path, line_end: str
):
    text = "\n\ndn: CN=a\ncn: a\n\n\n\ndn: CN=b\ncn: b".replace("\n", line_end)

    assert [each.dn for each in records(file, text)] == ["CN=a", "CN=b"]


def test_base64_dn_and_values_are_decoded(file: Path):
    [record] = records(file, "dn:: Q049Wm/DqyxEQz14\ncn:: Wm/Dqw==\n")

    assert record.dn == "CN=Zoë,DC=x"
    assert record.attribute_values(ALL) == {"cn": ["Zoë".encode()]}


def test_values_keep_their_order_and_names_ignore_case(file: Path):
    [record] = records(file, "dn: CN=a\nMember: x\nmember;range=0-*: y\nmail:\n")

    assert record.attribute_values(ALL) == {"member": [b"x", b"y"], "mail": [b""]}


def test_ldapsearch_comments_and_results_are_skipped(file: Path):
    text = """# extended LDIF
#
# LDAPv3

# Ada, contoso.com
dn: CN=Ada
# a comment, and
 its continuation
cn: Ada

# search reference
ref: ldap://forestdns.contoso.com/

# search result
search: 2
result: 0 Success

# numResponses: 3
# numEntries: 1
"""
    file.write_text(text)

    [record, trailer] = list(read_ldif(file))

    assert isinstance(record, LdifEntry)
    assert record.attribute_values(ALL) == {"cn": [b"Ada"]}
    assert isinstance(trailer, Trailer)
    assert trailer.entries == 1


def test_file_larger_than_one_chunk_is_read_completely(file: Path):
    text = "".join(
        f"dn: CN={number}\r\ncn: {number}\r\nmail: {'x' * (number % 97)}\r\n\r\n"
        for number in range(20_000)
    )

    read = records(file, text)

    assert len(text) > 1_000_000
    assert [each.attribute_values(ALL)["cn"][0] for each in read] == [
        str(number).encode() for number in range(20_000)
    ]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("dn: CN=a\ncn: a\nno colon\n", 3, "attribute: value"),
        ("dn: CN=a\ncn: a\n folded\nsn: b\n: nameless\n", 5, "attribute: value"),
        ("# one\n\n\ndn: CN=a\n\ncn: a\n", 6, "dn:"),
        ("dn: CN=a\ncn: a\n\n continued\n", 4, "continues"),
        ("dn: CN=a\nchangetype: modify\nreplace: cn\n", 2, "change"),
        ("dn: CN=a\nchangetype: addition\ncn: a\n", 2, "change"),
        ("dn: CN=a\nchangetype: delete\n", 2, "change"),
        ("version: 2\ndn: CN=a\n", 1, "version"),
        ("dn: CN=a\ncn: a\nmail:: ***\n", 3, "base64"),
        ("dn: CN=a\nthumbnailPhoto:< file:///etc/passwd\n", 2, "attribute: value"),
        ("search: 2\nresult: 4 Size limit exceeded\n", 1, "error"),
    ],
)
def test_malformed_line_is_reported_with_file_and_line(
    file: Path, text: str, line: int, reason: str
):
    with pytest.raises(Rejected) as caught:
        [each.attribute_values(ALL) for each in records(file, text)]

    assert f"{file}:{line}: " in str(caught.value)
    assert reason in str(caught.value)


def test_missing_file_is_reported_with_its_path(file: Path):
    with pytest.raises(Misconfigured, match=r"contoso\.ldif"):
        list(read_ldif(file))


def test_windows_ldifde_export_is_read(file: Path):
    text = "dn: CN=Ada,DC=x\nchangetype: add\ncn: Ada\n\n"
    lines = text.replace("\n", "\r\n").encode()

    [record] = records(file, b"\xef\xbb\xbf" + lines)

    assert record.dn == "CN=Ada,DC=x"
    assert record.attribute_values(ALL) == {"cn": [b"Ada"]}
