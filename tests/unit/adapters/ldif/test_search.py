"""Entries of an export, and references to entries that it may lack."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from tests.support.ldif import ADA, EVE, entry

from cloudforest.adapters.directory_entries import DirectoryEntry
from cloudforest.adapters.ldif import search
from cloudforest.adapters.ldif.index import build_index

BOB = uuid.UUID("77777777-2222-3333-4444-555555555555")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "contoso.ldif"


def people(file: Path, *entries: str) -> dict[str, DirectoryEntry]:
    file.write_text("".join(entries))
    names = ["altrecipient", "description", "distinguishedname", "manager", "msds-x"]
    index = build_index(file)
    return {
        each.dn: each
        for each in search.find_by_kind(file, index, kind="user", names=names)
    }


@pytest.mark.parametrize("line", ["objectClass:: dXNlcg==", "objectclass: User  "])
def test_object_class_is_matched_in_any_spelling(file: Path, line: str):
    found = people(
        file,
        entry("CN=Ada,DC=x", ADA, "objectClass: top", line),
        entry("CN=Eve,DC=x", EVE, "objectClass:: Z3JvdXA="),
    )

    assert set(found) == {"CN=Ada,DC=x"}
    assert found["CN=Ada,DC=x"].attributes["objectclass"][1].lower() == "user"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("CN=Eve,DC=x", (str(EVE),)),
        ("cn=EVE, dc=X", (str(EVE),)),
        ("B:4:0001:CN=Eve,DC=x", (f"B:4:0001:{EVE}",)),
        ("S:3:a:b:CN=Eve,DC=x", (f"S:3:a:b:{EVE}",)),
        ("S:3:é::CN=Eve,DC=x", (f"S:3:é::{EVE}",)),
        ("CN=Gone,DC=x", ()),
        ("CN=Gone\\, Girl , DC = x", ()),
        ("B:4:0001:CN=Gone,DC=x", ()),
        ("Her office is CN=Eve,DC=x", ("Her office is CN=Eve,DC=x",)),
        ("a=b", ("a=b",)),
        ("B:4:note", ("B:4:note",)),
    ],
)
def test_dns_of_other_objects_become_guids_or_are_dropped(
    file: Path, value: str, expected: tuple[str, ...]
):
    lines = ("objectClass: user", f"altRecipient: {value}", f"msDS-X: {value}")
    found = people(file, entry("CN=Ada,DC=x", ADA, *lines), entry("CN=Eve,DC=x", EVE))

    attributes = found["CN=Ada,DC=x"].attributes
    assert (attributes["altrecipient"], attributes["msds-x"]) == (expected, expected)


def test_distinguished_name_of_an_entry_stays_a_dn(file: Path):
    line = "distinguishedName: CN=Ada,DC=x"
    found = people(file, entry("CN=Ada,DC=x", ADA, "objectClass: user", line))

    assert found["CN=Ada,DC=x"].attributes["distinguishedname"] == ("CN=Ada,DC=x",)


def test_manager_missing_from_an_incomplete_export_is_not_cleared(file: Path):
    """Without a value, the target's manager would be cleared (an export was cut)."""
    lines = ("objectClass: user", "manager: CN=Boss,DC=x")
    complete = people(file, entry("CN=Ada,DC=x", ADA, *lines), "# numEntries: 1\n")
    unproven = people(file, entry("CN=Ada,DC=x", ADA, *lines))

    assert complete["CN=Ada,DC=x"].attributes["manager"] == ()
    (manager,) = unproven["CN=Ada,DC=x"].attributes["manager"]
    assert uuid.UUID(manager) not in {ADA, EVE}
