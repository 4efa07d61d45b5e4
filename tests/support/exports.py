"""Small domains as LDIF exports, which a test may change."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

from tests.support.installed import Installed, write_tree

BASE = "DC=contoso,DC=com"


def guid_of(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def entry(dn: str, object_class: str, **attributes: str | list[str]) -> str:
    """Return one entry; its objectGUID is derived from its common name."""
    name = dn.partition(",")[0].partition("=")[2]
    guid = base64.b64encode(uuid.UUID(guid_of(name)).bytes_le).decode()
    lines = [f"dn: {dn}", f"objectClass: {object_class}", f"objectGUID:: {guid}"]
    if object_class != "domainDNS":
        lines += [f"cn: {name}", f"name: {name}"]
    for key, values in attributes.items():
        lines += [
            f"{key}: {each}"
            for each in ([values] if isinstance(values, str) else values)
        ]
    return "\n".join(lines)


def person(name: str, **attributes: str) -> str:
    return entry(
        f"CN={name},{BASE}",
        "user",
        userPrincipalName=f"{name}@contoso.com",
        userAccountControl="512",
        **attributes,
    )


def group(name: str, *members: str) -> str:
    return entry(
        f"CN={name},{BASE}", "group", member=[f"CN={each},{BASE}" for each in members]
    )


def write_export(folder: Path, *entries: str, proved: bool = True) -> None:
    """Write a domain; `proved` adds the manifest of a complete export."""
    head = entry(BASE, "domainDNS")
    manifest = f"# numEntries: {len(entries) + 1}\n" if proved else ""
    (folder / "contoso.ldif").write_text("\n\n".join([head, *entries, manifest]))


def exported(folder: Path, *entries: str, **more: str) -> Installed:
    """Return the command in a tree over this export and an embedded target."""
    write_tree(
        folder,
        source="{ldif: contoso.ldif}",
        target="scim: embedded, profile: generic",
        scope=more.pop("scope", "organizationalUnits: all"),
        **more,
    )
    write_export(folder, *entries)
    return Installed(folder)
