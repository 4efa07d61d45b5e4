"""A second domain controller of a domain, for failover and for lagging replication."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.servers.controller import Controller
from tests.servers.domain import Samba

JOINABLE = "ldap,cldap,rpc,kdc,winbindd,drepl"
"""Services that a controller needs so that another can join."""


@contextlib.contextmanager
def replicated(first: Controller, folder: Path) -> Iterator[Controller]:
    """Join a second controller, which replicates only on `pull`."""
    assert first.spare is not None
    samba = replace(
        first.samba,
        address=first.spare,
        folder=folder / "dc",
        host="dc2",
    )
    _join(samba, first.samba)
    second = Controller(samba)
    second.start()
    try:
        yield second
    finally:
        second.stop()


def _join(joining: Samba, first: Samba) -> None:
    subprocess.run(
        [
            *("samba-tool", "domain", "join", first.domain, "DC"),
            f"--server={first.address}",
            *_as_administrator(first),
            f"--targetdir={joining.folder}",
            "--dns-backend=NONE",
            f"--option=interfaces={joining.address}/8",
            "--option=bind interfaces only=yes",
            "--option=netbios name=dc2",
            "--option=vfs objects=dfs_samba4 acl_xattr xattr_tdb",
        ],
        check=True,
        capture_output=True,
    )


def pull(second: Samba, first: Samba) -> None:
    """Replicate missing changes to the second controller."""
    subprocess.run(
        [
            *("samba-tool", "drs", "replicate", "dc2", first.address, first.base),
            "--local",
            *("-s", str(second.folder / "etc/smb.conf")),
            *_as_administrator(first),
        ],
        check=True,
        capture_output=True,
    )


def _as_administrator(samba: Samba) -> list[str]:
    name = ("-U", "Administrator", f"--password={samba.password}")
    return [*name, "--use-kerberos=off"]
