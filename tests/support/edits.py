"""Edits of a tree over an LDIF export."""

from __future__ import annotations

import base64
import uuid

from tests.support.installed import Installed

BASE = "DC=contoso,DC=com"
PEOPLE = 6


def entry(number: int, dn: str, *lines: str) -> str:
    guid = base64.b64encode(uuid.UUID(int=number + 1).bytes_le).decode()
    return "\n".join([f"dn: {dn}", f"objectGUID:: {guid}", *lines])


def person(number: int, *, control: int = 512) -> str:
    return entry(
        number,
        f"CN=Person {number},{BASE}",
        "objectClass: user",
        f"userPrincipalName: p{number}@contoso.com",
        f"displayName: Person {number}",
        f"sAMAccountName: p{number}",
        f"title: Engineer {number}",
        f"userAccountControl: {control}",
    )


def export(*, disabled: int = 0) -> str:
    """Return a complete export of people and a group of two of them."""
    people = [
        person(number, control=514 if number <= disabled else 512)
        for number in range(1, PEOPLE + 1)
    ]
    group = entry(
        100,
        f"CN=Staff,{BASE}",
        "objectClass: group",
        "cn: Staff",
        "displayName: Staff",
        "sAMAccountName: Staff",
        "groupType: -2147483646",
        f"member: CN=Person 1,{BASE}",
        f"member: CN=Person 2,{BASE}",
    )
    entries = [entry(0, BASE, "objectClass: domainDNS"), *people, group]
    return "\n\n".join([*entries, f"# numEntries: {len(entries)}"]) + "\n"


def edit(cloudforest: Installed, *pairs: tuple[str, str]) -> None:
    file = cloudforest.tree / "tree.yaml"
    text = file.read_text()
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    file.write_text(text)


def without(cloudforest: Installed, *starts: str) -> str:
    """Remove the documents that begin with `starts`; return the old tree."""
    file = cloudforest.tree / "tree.yaml"
    text = file.read_text()
    documents = [each.strip() for each in text.split("---\n")]
    left = [each for each in documents if not each.startswith(starts)]
    assert len(left) == len(documents) - len(starts)
    file.write_text("\n---\n".join(left) + "\n")
    return text
