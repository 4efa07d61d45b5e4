"""A real PostgreSQL: one cluster per session, one database per test."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.servers.missing import without_server

BINARIES = "/usr/lib/postgresql/*/bin"
UNSAFE_BUT_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def _binaries() -> Path | None:
    """Return the folder of the newest version; Debian installs it outside PATH."""
    found = sorted(Path("/").glob(BINARIES.lstrip("/")), key=lambda each: each.parent)
    return found[-1] if found else None


def _as_owner(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root; Debian's package creates a user for it."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def _running(binaries: Path, folder: Path) -> Iterator[str]:
    data, port = folder / "data", _free_port()
    owner = _as_owner(folder)
    made = ["-D", data, "--auth=trust", "--username=cloudforest", "--encoding=UTF8"]
    subprocess.run(
        [*owner, binaries / "initdb", *made], check=True, stdout=subprocess.DEVNULL
    )
    options = [
        f"-c{each}"
        for each in (
            *UNSAFE_BUT_FAST,
            "listen_addresses=127.0.0.1",
            f"port={port}",
            f"unix_socket_directories={folder}",
        )
    ]
    start = [*owner, binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    subprocess.run(
        [*start, "-o", " ".join(options), "start"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield f"cloudforest@127.0.0.1:{port}"
    finally:
        subprocess.run(
            [*owner, binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"],
            check=True,
            stdout=subprocess.DEVNULL,
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a cluster; return USER@HOST:PORT."""
    binaries = _binaries()
    if binaries is None:
        without_server("PostgreSQL is not installed; `make servers` does it.")
    # Not below pytest's folders: other users cannot read them.
    with (
        tempfile.TemporaryDirectory(prefix="postgres-") as folder,
        _running(binaries, Path(folder)) as running,
    ):
        yield running


_numbers = itertools.count()


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """Return the SQLAlchemy URL of an empty database."""
    name = f"test{next(_numbers)}"
    with psycopg.connect(f"postgresql://{postgres}/postgres", autocommit=True) as made:
        made.execute(f"CREATE DATABASE {name}")
    return f"postgresql+psycopg://{postgres}/{name}"
