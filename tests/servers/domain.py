"""An Active Directory domain that tests read and change."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ldap3
from ldap3.protocol.microsoft import security_descriptor_control
from ldap3.utils.conv import escape_filter_chars
from tests.servers.certificates import Certificates
from tests.servers.contoso import GRANT, REPLICATE, SEE_DELETED, USER_CLASS, Account

LDAPS = 636
REALM = "CONTOSO.COM"
SHOW_DELETED = "1.2.840.113556.1.4.417"


def _parsed(block: str) -> tuple[str, dict[str, list[str]]]:
    pairs = [line.split(": ", 1) for line in block.splitlines()]
    attributes: dict[str, list[str]] = {}
    for name, value in pairs[1:]:
        attributes.setdefault(name, []).append(value)
    return pairs[0][1], attributes


@dataclass(frozen=True)
class Samba:
    """A running domain controller. `name` is the host name in its certificate."""

    address: str
    folder: Path
    certificates: Certificates
    realm: str = REALM
    password: str = "Passw0rd.lab"
    host: str = "dc1"

    @property
    def domain(self) -> str:
        return self.realm.lower()

    @property
    def base(self) -> str:
        return ",".join(f"DC={label}" for label in self.domain.split("."))

    @property
    def name(self) -> str:
        return f"{self.host}.{self.domain}"

    @property
    def user(self) -> str:
        return f"Administrator@{self.domain}"

    @property
    def url(self) -> str:
        return f"ldaps://{self.address}"

    @property
    def ca(self) -> Path:
        return self.certificates.ca

    @contextlib.contextmanager
    def connection(self) -> Iterator[ldap3.Connection]:
        server = ldap3.Server(
            self.address, port=LDAPS, use_ssl=True, get_info=ldap3.NONE
        )
        connection = ldap3.Connection(
            server, self.user, self.password, auto_bind=True, raise_exceptions=True
        )
        try:
            yield connection
        finally:
            connection.unbind()

    def add(self, ldif: str) -> None:
        """Add the entries of an LDIF text without folds and base64."""
        with self.connection() as connection:
            for block in ldif.strip().split("\n\n"):
                dn, attributes = _parsed(block)
                connection.add(dn, attributes=attributes)

    def account(self, name: str) -> Account:
        """Add an account that may log on, without extra rights."""
        password = f"Passw0rd.{name}"
        with self.connection() as connection:
            connection.add(
                f"CN={name},CN=Users,{self.base}",
                attributes={
                    "objectClass": "user",
                    "sAMAccountName": name,
                    "userPrincipalName": f"{name}@{self.domain}",
                    "userAccountControl": 512,
                    "unicodePwd": f'"{password}"'.encode("utf-16-le"),
                },
            )
        return Account(f"{name}@{self.domain}", password)

    def modify(self, dn: str, **changes: list[str]) -> None:
        """Replace attributes; `_` in a name stands for `-`, an empty list clears."""
        with self.connection() as connection:
            connection.modify(
                dn,
                {
                    name.replace("_", "-"): [(ldap3.MODIFY_REPLACE, values)]
                    for name, values in changes.items()
                },
            )

    def delete(self, dn: str) -> None:
        with self.connection() as connection:
            connection.delete(dn)

    def guid(self, dn: str) -> str:
        """Return the objectGUID of an object as canonical text."""
        with self.connection() as connection:
            connection.search(
                self.base,
                f"(distinguishedName={escape_filter_chars(dn)})",
                attributes=["objectGUID"],
            )
            raw = connection.response[0]["raw_attributes"]["objectGUID"][0]
        return str(uuid.UUID(bytes_le=raw))

    def let_replicate(self, account: str, *, deleted: bool = False) -> None:
        """Grant Replicating Directory Changes, and the right to see deleted objects."""
        entries = {self.base: REPLICATE}
        if deleted:
            entries[f"CN=Deleted Objects,{self.base}"] = SEE_DELETED
        self.grant(account, entries)

    def grant(self, account: str, entries: dict[str, str]) -> None:
        """Append SDDL entries by DN; `{sid}` stands for the SID of the account."""
        written = [f"{dn}|{ace}" for dn, ace in entries.items()]
        self.locally(GRANT, self.base, account, *written)

    @contextlib.contextmanager
    def denied(self, account: str, dn: str, ace: str) -> Iterator[None]:
        """Append an entry to a DACL until the block ends."""
        control = security_descriptor_control(sdflags=4)
        name = "nTSecurityDescriptor"
        with self.connection() as connection:
            connection.search(
                dn, "(objectClass=*)", ldap3.BASE, attributes=[name], controls=control
            )
            [held] = connection.response[0]["raw_attributes"][name]
            self.grant(account, {dn: ace})
            try:
                yield
            finally:
                change = {name: [(ldap3.MODIFY_REPLACE, [held])]}
                connection.modify(dn, change, controls=control)

    def hide(self, account: str, attribute: str, *dns: str, inherited: bool = False):
        """Deny an account to read one attribute of objects, or of all objects below."""
        base = f"CN=Schema,CN=Configuration,{self.base}"
        with self.connection() as connection:
            named = f"(lDAPDisplayName={attribute})"
            connection.search(base, named, attributes=["schemaIDGUID"])
            [raw] = connection.response[0]["raw_attributes"]["schemaIDGUID"]
        flags, kind = ("CIIO", USER_CLASS) if inherited else ("", "")
        ace = f"(OD;{flags};RP;{uuid.UUID(bytes_le=raw)};{kind};{{sid}})"
        self.grant(account, dict.fromkeys(dns, ace))

    def reanimate(self, guid: str, dn: str) -> None:
        """Reanimate a deleted object from its tombstone."""
        name = dn.partition(",")[0]
        with self.connection() as connection:
            connection.modify(
                f"{name}\\0ADEL:{guid},CN=Deleted Objects,{self.base}",
                {
                    "isDeleted": [(ldap3.MODIFY_DELETE, [])],
                    "distinguishedName": [(ldap3.MODIFY_REPLACE, [dn])],
                },
                controls=[(SHOW_DELETED, True, None)],
            )

    def locally(self, script: str, *arguments: str) -> None:
        """Run a script on the database, with the system's Python and full rights."""
        subprocess.run(
            ["/usr/bin/python3", "-c", script, str(self.folder), *arguments],
            check=True,
            capture_output=True,
        )
