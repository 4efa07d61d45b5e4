"""A real Active Directory domain: Samba AD DC on a loopback address of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ldap3
import pytest
from ldap3.utils.conv import escape_filter_chars
from tests.servers.certificates import Certificates, issue
from tests.servers.contoso import DELEGATION, HIDING, Account, population

LDAPS = 636
SHOW_DELETED = ("1.2.840.113556.1.4.417", True, None)
READY_WITHIN = 60
REALM = "CONTOSO.COM"
PROVISION = (
    "--domain=CONTOSO",
    "--server-role=dc",
    "--dns-backend=NONE",
    "--use-rfc2307",
    "--option=interfaces=lo",
    "--option=bind interfaces only=yes",
    # The plain file system of a container has no xattrs for ACLs.
    "--option=vfs objects=dfs_samba4 acl_xattr xattr_tdb",
)


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
    domain: str = REALM.lower()
    base: str = "DC=contoso,DC=com"
    name: str = "dc1.contoso.com"
    user: str = f"Administrator@{REALM.lower()}"
    password: str = "Passw0rd.lab"

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
        """Add an account that may log on, with the rights of everybody."""
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
        """Grant Replicating Directory Changes, and the sight of deleted objects."""
        rights = ["deleted"] if deleted else []
        self.locally(DELEGATION, self.base, account, *rights)

    def hide(self, account: str, attribute: str, dn: str) -> None:
        """Deny an account the sight of one attribute of one object."""
        self.locally(HIDING, self.base, account, attribute, dn)

    def reanimate(self, guid: str, dn: str) -> None:
        """Bring a deleted object back, as a restore from its tombstone does."""
        name = dn.partition(",")[0]
        with self.connection() as connection:
            connection.modify(
                f"{name}\\0ADEL:{guid},CN=Deleted Objects,{self.base}",
                {
                    "isDeleted": [(ldap3.MODIFY_DELETE, [])],
                    "distinguishedName": [(ldap3.MODIFY_REPLACE, [dn])],
                },
                controls=[SHOW_DELETED],
            )

    def locally(self, script: str, *arguments: str) -> None:
        """Run a script of the system's Python, as the system, on the database."""
        subprocess.run(
            ["/usr/bin/python3", "-c", script, str(self.folder), *arguments],
            check=True,
            capture_output=True,
        )


@pytest.fixture(scope="session")
def samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    """An empty domain, for tests that add what they need."""
    with running(tmp_path_factory.mktemp("samba")) as controller:
        yield controller


@dataclass(frozen=True)
class Contoso:
    """The domain with people in it; `delegated` may replicate, nothing else."""

    samba: Samba
    delegated: Account
    unprivileged: Account


@pytest.fixture(scope="session")
def contoso(samba: Samba) -> Contoso:
    samba.add(population())
    delegated = samba.account("svc-sync")
    unprivileged = samba.account("svc-plain")
    samba.let_replicate("svc-sync", deleted=True)
    return Contoso(samba, delegated, unprivileged)


def _free_address() -> str:
    for last in range(2, 100):
        with socket.socket() as probe:
            try:
                probe.bind((f"127.0.0.{last}", LDAPS))
            except OSError:
                continue
            return f"127.0.0.{last}"
    return pytest.fail("No address of 127.0.0.2 to .99 has a free port 636.")


def _provision(controller: Samba) -> None:
    subprocess.run(
        [
            "samba-tool",
            "domain",
            "provision",
            f"--realm={controller.realm}",
            f"--adminpass={controller.password}",
            f"--targetdir={controller.folder}",
            f"--host-ip={controller.address}",
            *PROVISION,
        ],
        check=True,
        capture_output=True,
    )


def _command(controller: Samba) -> list[str]:
    run = controller.folder / "run"
    (run / "ncalrpc").mkdir(parents=True)
    options = {
        "server services": "ldap",
        "interfaces": f"{controller.address}/8",
        "bind interfaces only": "yes",
        "pid directory": run,
        "ncalrpc dir": run / "ncalrpc",
        "log file": run / "log",
        "tls keyfile": controller.certificates.key,
        "tls certfile": controller.certificates.certificate,
        "tls cafile": controller.certificates.ca,
    }
    return [
        "samba",
        "-s",
        str(controller.folder / "etc/smb.conf"),
        "-i",
        "-M",
        "single",
        "--debug-stdout",
        *(f"--option={name}={value}" for name, value in options.items()),
    ]


def _listens(controller: Samba) -> bool:
    try:
        with socket.create_connection((controller.address, LDAPS), timeout=1):
            return True
    except OSError:
        return False


def _lets_in(controller: Samba) -> bool:
    try:
        with controller.connection():
            return True
    except ldap3.core.exceptions.LDAPException:
        return False


def _await_ready(controller: Samba, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if _listens(controller) and _lets_in(controller):
            return
        time.sleep(0.2)
    pytest.fail(f"Samba did not start:\n{log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Samba]:
    """Provision a domain in `folder` and run it until the block ends."""
    require("samba", "samba-tool")
    address = _free_address()
    names = issue(folder, names=("dc1.contoso.com",), addresses=(address,))
    controller = Samba(address, folder / "dc", names)
    _provision(controller)
    with (folder / "samba.log").open("wb") as log:
        process = subprocess.Popen(
            _command(controller), stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
    try:
        _await_ready(controller, process, folder / "samba.log")
        yield controller
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def require(*programs: str) -> None:
    """Skip without these programs, or without root; fail where CI promises them."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        reason = (
            f"Samba AD DC can't be tested here ({', '.join(missing) or 'not root'}); "
            "`make test` as root installs what it takes."
        )
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
