"""A tree over an LDIF export, and the output of one run."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

from tests.support.installed import TOKEN, Installed, Ran, write_tree

EVERYBODY = "organizationalUnits: all"


def once(cloudforest: Installed) -> Ran:
    return cloudforest("up", "--once", "--format", "json")


def assert_reported(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran
    missing = [each for each in words if each not in ran.err]
    assert not missing, f"{missing} not in: {ran.err}"
    assert "Traceback" not in ran.err


def ldif_tree(folder: Path, text: str, **more: str) -> Installed:
    target = more.pop("target", "scim: embedded, profile: generic")
    write_tree(
        folder, source="{ldif: contoso.ldif}", target=target, scope=EVERYBODY, **more
    )
    (folder / "contoso.ldif").write_text(text)
    return Installed(folder, {TOKEN: "canary-token"})


def export(*people: str) -> str:
    """Return LDIF of a domain with these people, as `ldapsearch` would write it."""
    head = [
        "dn: DC=contoso,DC=com",
        "objectClass: domainDNS",
        "objectGUID:: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    entries = ["\n".join(head), *map(person, people)]
    return "\n\n".join([*entries, f"# numEntries: {len(entries)}\n"])


def person(name: str) -> str:
    guid = base64.b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, name).bytes_le).decode()
    return "\n".join(
        [
            f"dn: CN={name},DC=contoso,DC=com",
            "objectClass: user",
            f"objectGUID:: {guid}",
            f"cn: {name}",
            f"name: {name}",
            f"userPrincipalName: {name}@contoso.com",
            f"department: {name} department",
            "userAccountControl: 512",
        ]
    )
