"""LDIF as `ldapsearch` writes it (RFC 2849), and the identity of each entry."""

from __future__ import annotations

import base64
import uuid
from typing import TextIO

DOMAIN = "contoso.com"
BASE = "DC=contoso,DC=com"
PEOPLE = f"OU=People,{BASE}"
CONTRACTORS = f"OU=Contractors,{BASE}"
GROUPS = f"OU=Groups,{BASE}"
USERS = f"CN=Users,{BASE}"
COMPUTERS = f"OU=Computers,{BASE}"
SERVICES = f"OU=Service Accounts,{BASE}"
NORMAL, DISABLED, WORKSTATION = 512, 514, 4096
GLOBAL_SECURITY, DISTRIBUTION = -2147483646, 2

_SID = (21, 1004336348, 1177238915, 682003330)
_FIRST_RID = 1103
_LINE = 76
_CREATED = "20240611083000.0Z"

Attributes = list[tuple[str, "str | bytes | int"]]


def _sid(rid: int) -> bytes:
    parts = (*_SID, rid)
    head = bytes((1, len(parts), 0, 0, 0, 0, 0, 5))
    return head + b"".join(part.to_bytes(4, "little") for part in parts)


def _is_safe(raw: bytes) -> bool:
    """RFC 2849: no leading space, colon or `<`, no trailing space, ASCII only."""
    text = raw.decode()
    return (
        text.isascii()
        and text.isprintable()
        and text[:1] not in {" ", ":", "<"}
        and not text.endswith(" ")
    )


class Forest:
    """Makes GUIDs and SIDs, and writes entries; `count` is how many there are."""

    def __init__(self, out: TextIO, seed: int) -> None:
        self._out = out
        self._seed = seed
        self._rid = _FIRST_RID
        self.count = 0

    def entry(
        self, dn: str, classes: str, attributes: Attributes, *, rid: int | None = None
    ) -> None:
        """Write one entry. `rid` 0: not a security principal."""
        name = unescaped(dn.split("=", 1)[1])
        self._line("dn", dn)
        for each in ["top", *classes.split()]:
            self._line("objectClass", each)
        self._line("name", name)
        self._line("distinguishedName", dn)
        self._line("objectGUID", guid(self._seed, dn).bytes_le)
        if rid != 0:
            self._line("objectSid", _sid(rid or self._next_rid()))
        self._line("instanceType", 4)
        self._line("whenCreated", _CREATED)
        for attribute, value in attributes:
            if value != "":
                self._line(attribute, value)
        self._out.write("\n")
        self.count += 1

    def _next_rid(self) -> int:
        self._rid += 1
        return self._rid

    def _line(self, name: str, value: str | bytes | int) -> None:
        raw = value if isinstance(value, bytes) else str(value).encode()
        text = f"{name}: {value}"
        if isinstance(value, bytes) or not _is_safe(raw):
            text = f"{name}:: {base64.b64encode(raw).decode()}"
        self._out.write(text[:_LINE] + "\n")
        for start in range(_LINE, len(text), _LINE - 1):
            self._out.write(f" {text[start : start + _LINE - 1]}\n")

    def close(self) -> None:
        self._out.write(
            "# search result\n\n"
            f"# numResponses: {self.count + 1}\n# numEntries: {self.count}\n"
        )


def guid(seed: int, dn: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_X500, f"{seed}/{dn}")


def unescaped(rest: str) -> str:
    name, escaped = "", False
    for each in rest:
        if each == "," and not escaped:
            break
        escaped = each == "\\" and not escaped
        name += "" if escaped else each
    return name
