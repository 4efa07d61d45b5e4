"""Domain controllers: Samba AD DC, each on its own loopback address."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ldap3
import pytest
from tests.servers.certificates import issue
from tests.servers.domain import LDAPS, REALM, Samba
from tests.servers.missing import without_server

READY_WITHIN = 60
PROVISION = (
    "--server-role=dc",
    "--dns-backend=NONE",
    "--use-rfc2307",
    "--option=interfaces=lo",
    "--option=bind interfaces only=yes",
    # The plain file system of a container has no xattrs for ACLs.
    "--option=vfs objects=dfs_samba4 acl_xattr xattr_tdb",
)


def free_address() -> str:
    """Return a free loopback address, at random: other runs may choose just now."""
    for _ in range(100):
        parts = [
            secrets.randbelow(64) + 64,
            *(secrets.randbelow(250) + 2 for _ in "yz"),
        ]
        address = "127." + ".".join(map(str, parts))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((address, LDAPS))
            return address
    return pytest.fail("No loopback address has a free port 636.")


def _provision(controller: Samba, backend: str) -> None:
    subprocess.run(
        [
            "samba-tool",
            "domain",
            "provision",
            f"--realm={controller.realm}",
            f"--domain={controller.realm.partition('.')[0]}",
            f"--adminpass={controller.password}",
            f"--targetdir={controller.folder}",
            f"--host-ip={controller.address}",
            "--host-name=dc1",
            f"--backend-store={backend}",
            *PROVISION,
        ],
        check=True,
        capture_output=True,
    )


def _command(controller: Samba, services: str) -> list[str]:
    run = controller.folder / "run"
    (run / "ncalrpc").mkdir(parents=True, exist_ok=True)
    options = {
        "server services": services,
        "interfaces": f"{controller.address}/8",
        "bind interfaces only": "yes",
        "pid directory": run,
        "ncalrpc dir": run / "ncalrpc",
        "winbindd socket directory": run / "winbindd",
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


@dataclass
class Controller:
    """The process of a domain controller, which a test may kill and start again."""

    samba: Samba
    services: str = "ldap"
    spare: str | None = None
    """An address in the certificate, for a second controller."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.samba.folder / "samba.log"

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                _command(self.samba, self.services),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._await_ready(self.process)

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            if _listens(self.samba) and _lets_in(self.samba):
                return
            time.sleep(0.2)
        text = self.log.read_text(errors="replace")
        pytest.fail(f"Samba did not start:\n{text[-2000:]}")

    def kill(self) -> None:
        """Kill it and its child processes with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        os.killpg(self.process.pid, number)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None


@contextlib.contextmanager
def provisioned(
    folder: Path, *, services: str = "ldap", backend: str = "tdb", realm: str = REALM
) -> Iterator[Controller]:
    """Provision and run a domain in `folder`; the test may kill the controller."""
    require("samba", "samba-tool")
    address = free_address()
    spare = free_address()
    names = issue(
        folder,
        names=(f"dc1.{realm.lower()}", f"dc2.{realm.lower()}"),
        addresses=(address, spare),
    )
    samba = Samba(address, folder / "dc", names, realm)
    controller = Controller(samba, services, spare)
    _provision(controller.samba, backend)
    controller.start()
    try:
        yield controller
    finally:
        controller.stop()


def require(*programs: str) -> None:
    """Skip if a program or root is missing; fail in CI."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        reason = (
            f"Samba AD DC cannot be tested here ({', '.join(missing) or 'not root'}); "
            "`make test` as root installs what it takes."
        )
        without_server(reason)
