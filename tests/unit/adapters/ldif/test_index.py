from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from tests.support.ldif import ADA, EVE, entry

from cloudforest.adapters.ldif.index import build_index
from cloudforest.adapters.ldif.reader import file_digest
from cloudforest.base.errors import Rejected

TWO = entry("CN=Ada,DC=x", ADA) + entry("CN=Lee\\, Eve + OU=y,DC=x", EVE)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "contoso.ldif"


@pytest.mark.parametrize(
    ("dn", "guid"),
    [
        ("CN=Ada,DC=x", ADA),
        ("cn=ada, dc=X", ADA),
        ("CN = Ada,DC=x", ADA),
        ("CN=\\41da,DC=x", ADA),
        ("OU=y+CN=Lee\\2C Eve,DC=x", EVE),
        ("CN=Nobody,DC=x", None),
        ("CN=Ada", None),
        ("not a name", None),
        ("", None),
    ],
)
def test_dn_is_found_in_any_spelling(file: Path, dn: str, guid: uuid.UUID | None):
    file.write_text(TWO)

    assert build_index(file).find_guid(dn) == (guid.bytes_le if guid else None)


def test_file_is_complete_if_trailer_or_checksum_agrees(file: Path):
    file.write_text(TWO)
    assert not build_index(file).complete

    checksum = file.with_name("contoso.ldif.sha256")
    checksum.write_text(f"{file_digest(file)}  contoso.ldif\n")
    assert build_index(file).complete

    checksum.unlink()
    file.write_text(TWO + "# numEntries: 2\n")
    assert build_index(file).complete


def test_file_with_fewer_entries_than_its_trailer_is_rejected(file: Path):
    file.write_text(TWO + "# numEntries: 3\n")

    with pytest.raises(Rejected, match=r"ldif:\d+: .*says 3, .* is 2\."):
        build_index(file)


def test_truncated_file_is_rejected_by_its_checksum(file: Path):
    file.write_text(TWO)
    file.with_name("contoso.ldif.sha256").write_text(file_digest(file))
    file.write_text(TWO[:-20])

    with pytest.raises(Rejected, match=r"SHA-256 of .*contoso\.ldif"):
        build_index(file)


def test_file_with_a_cut_member_range_is_incomplete(file: Path):
    group = entry("CN=g,DC=x", ADA, "member;range=0-1499: CN=Ada,DC=x")
    file.write_text(group + "# numEntries: 1\n")

    assert not build_index(file).complete


def test_entry_without_objectguid_is_rejected(file: Path):
    file.write_text("dn: CN=a,DC=x\ncn: a\n\n")

    with pytest.raises(Rejected, match=r"contoso\.ldif:1: .*objectGUID"):
        build_index(file)


def test_trailer_counts_only_the_entries_before_it(file: Path):
    announced = "# numEntries: 2\n"
    for text in (announced + TWO, announced + "\n" + TWO):
        file.write_text(text)
        assert not build_index(file).complete

    file.write_text(TWO.rstrip("\n") + f"\n{announced}# the end\n")
    assert build_index(file).complete


def test_trailers_of_several_exports_are_added_up(file: Path):
    first = TWO + "# numEntries: 2\n\n"
    second = entry("CN=Bob,DC=y", uuid.uuid4())
    file.write_text(first + second + "# numEntries: 1\n")
    assert build_index(file).complete

    file.write_text(first + second)
    assert not build_index(file).complete

    file.write_text(first + second + "# numEntries: 2\n")
    with pytest.raises(Rejected, match=r"says 4, .* is 3\."):
        build_index(file)


@pytest.mark.parametrize(
    ("twin", "what"),
    [
        (entry("CN=Another,DC=x", EVE), "objectGUID"),
        (entry("cn=ADA,dc=x", uuid.uuid4()), "DN"),
    ],
    ids=["guid", "dn"],
)
def test_duplicate_entries_are_rejected(file: Path, twin: str, what: str):
    file.write_text(TWO + twin + "# numEntries: 3\n")

    with pytest.raises(Rejected, match=f"two entries with the same {what}"):
        build_index(file)
