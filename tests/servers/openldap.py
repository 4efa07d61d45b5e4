"""An OpenLDAP server, to compare filters with."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ldap3
import pytest
from tests.servers.missing import without_server

SUFFIX = "dc=example,dc=test"
ADMINISTRATOR = f"cn=admin,{SUFFIX}"
PASSWORD = "Passw0rd.lab"
READY_WITHIN = 60
_ATTRIBUTES = {
    "department": "text",
    "employeeType": "text",
    "otherTelephone": "text",
    "userAccountControl": "integer",
    "accountExpires": "integer",
    "whenCreated": "time",
    "showInAdvancedViewOnly": "boolean",
    "unixHomeDirectory": "exact",
    "manager": "name",
    "secretary": "name",
    "jpegPhoto": "octets",
    "objectSid": "octets",
    "objectGUID": "octets",
}
_RULES = {
    "text": "EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX {}15",
    "integer": "EQUALITY integerMatch ORDERING integerOrderingMatch SYNTAX {}27",
    "time": "EQUALITY generalizedTimeMatch ORDERING generalizedTimeOrderingMatch "
    "SYNTAX {}24",
    "exact": "EQUALITY caseExactIA5Match SUBSTR caseExactIA5SubstringsMatch "
    "SYNTAX {}26",
    "name": "EQUALITY distinguishedNameMatch SYNTAX {}12",
    "octets": "EQUALITY octetStringMatch SYNTAX {}40",
    "boolean": "EQUALITY booleanMatch SYNTAX {}7",
}
_SYNTAXES = "1.3.6.1.4.1.1466.115.121.1."
_OURS = "1.3.6.1.4.1.99999."


def _schema() -> Iterator[str]:
    """Yield attribute types with the syntaxes of Active Directory, and their class."""
    for number, (name, kind) in enumerate(_ATTRIBUTES.items()):
        rules = _RULES[kind].format(_SYNTAXES)
        yield f"attributetype ( {_OURS}1.{number} NAME '{name}' {rules} )"
    # These are built in.
    may = " $ ".join([*_ATTRIBUTES, "uidNumber", "serialNumber"])
    yield f"objectclass ( {_OURS}2.1 NAME 'thing' SUP top MUST cn MAY ( {may} ) )"


def _configuration(folder: Path) -> str:
    lines = [
        "include /etc/ldap/schema/core.schema",
        *_schema(),
        "modulepath /usr/lib/ldap",
        "moduleload back_mdb",
        f"pidfile {folder}/slapd.pid",
        "database mdb",
        f"suffix {SUFFIX}",
        f"rootdn {ADMINISTRATOR}",
        f"rootpw {PASSWORD}",
        f"directory {folder}/data",
    ]
    return "\n".join([*lines, ""])


@dataclass(frozen=True)
class OpenLdap:
    port: int

    @contextmanager
    def connection(self) -> Iterator[ldap3.Connection]:
        server = ldap3.Server("127.0.0.1", port=self.port, get_info=ldap3.NONE)
        connection = ldap3.Connection(
            server, ADMINISTRATOR, PASSWORD, auto_bind=True, raise_exceptions=True
        )
        try:
            yield connection
        finally:
            connection.unbind()


def _binary() -> str:
    # Debian installs it outside the PATH of users.
    found = shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return found or without_server("OpenLDAP is missing; `make test` installs it.")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _listens(server: OpenLdap) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=1):
            return True
    except OSError:
        return False


def _await_ready(server: OpenLdap, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        if _listens(server):
            return
        time.sleep(0.1)
    pytest.fail(f"slapd did not start:\n{log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def openldap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenLdap]:
    """A server that holds only the root of its tree."""
    binary = _binary()
    folder = tmp_path_factory.mktemp("openldap")
    (folder / "data").mkdir()
    (folder / "slapd.conf").write_text(_configuration(folder))
    server = OpenLdap(_free_port())
    log = folder / "slapd.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [binary, "-f", folder / "slapd.conf", "-d", "none",
             "-h", f"ldap://127.0.0.1:{server.port}/"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        _await_ready(server, process, log)
        with server.connection() as connection:
            head = {"dc": "example", "o": "Example"}
            connection.add(SUFFIX, ["dcObject", "organization"], head)
        yield server
    finally:
        process.terminate()
        process.wait(READY_WITHIN)
