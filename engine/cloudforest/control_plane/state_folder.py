"""The state folder: its files, its lock, and who runs commands on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from cloudforest.base.errors import Busy, Misconfigured
from cloudforest.base.files import make_private_folder, read_bounded, write_private_file
from cloudforest.base.values import Value

_COMMAND_IN_BACKTICKS = re.compile(r"`(cloudforest [a-z][^`]*)`")


class RunningServer(Value, frozen=True):
    """The running control plane, as in STATE/serve.json."""

    url: str
    pid: int


_LOCK_ATTEMPTS = 3
_LOCK_RETRY_SECONDS = 0.1
"""In seconds; a command that looks for a server holds the lock for a moment."""


def _try_lock(lock: IO[str], kind: int) -> bool:
    for _ in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_RETRY_SECONDS)
        else:
            return True
    return False


@dataclass(frozen=True)
class StateFolder:
    path: Path

    @property
    def database(self) -> Path:
        return self.path / "cloudforest.db"

    @property
    def directory_database(self) -> Path:
        return self.path / "tenant.db"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def bus(self) -> Path:
        return self.path / "bus"

    @property
    def operator_token(self) -> Path:
        return self.keys / "operator.token"

    def agent_folder(self, name: str) -> Path:
        return self.path / "agents" / name

    def resolve_tree(self, given: Path | None) -> Path:
        """Return the tree of this state; `given` is stored as such.

        A state folder inside its tree may be moved and copied together with it.
        """
        file = self.path / "tree"
        if given is not None:
            tree = given.absolute()
            inside = tree == self.path.parent
            write_private_file(file, b".." if inside else str(tree).encode())
        elif not file.exists():
            return self.path.parent
        return Path(os.path.normpath(self.path / read_bounded(file).decode()))

    def create_folders(self) -> None:
        for folder in (self.path, self.keys, self.bus, self.path / "agents"):
            try:
                make_private_folder(folder)
            except OSError as error:
                raise Misconfigured(
                    f'Cannot create or write the state folder "{folder}": '
                    f"{error.strerror}. Fix that or pass another one with --state."
                ) from error

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only control plane on this state; raise Busy with the holder's pid."""
        os.umask(0o077)  # databases and logs hold people's data
        self.create_folders()
        with (self.path / "lock").open("a+") as lock:
            if not _try_lock(lock, fcntl.LOCK_EX):
                holder = read_bounded(self.path / "lock").decode().strip()
                raise Busy(
                    f'Another cloudforest process uses the state folder "{self.path}"'
                    f"{holder and f' ({holder})'}. Wait until it ends, or pass another "
                    "folder with --state."
                )
            # A killed control plane leaves its file behind.
            (self.path / "serve.json").unlink(missing_ok=True)
            lock.truncate(0)
            since = datetime.now().astimezone().isoformat(timespec="seconds")
            lock.write(f"pid {os.getpid()}, since {since}")
            lock.flush()
            yield

    @contextlib.contextmanager
    def announce(self, url: str) -> Iterator[None]:
        """Let other commands find this control plane while the context is open."""
        file = self.path / "serve.json"
        running = RunningServer(url=url, pid=os.getpid())
        write_private_file(file, msgspec.json.encode(running))
        try:
            yield
        finally:
            file.unlink(missing_ok=True)

    def find_running_server(self) -> RunningServer | None:
        """Return the running control plane, which holds the lock; else None."""
        try:
            data = read_bounded(self.path / "serve.json")
            with (self.path / "lock").open() as lock:
                held = not _try_lock(lock, fcntl.LOCK_SH)
        except FileNotFoundError:
            return None
        return msgspec.json.decode(data, type=RunningServer) if held else None


def add_state_option(command: str, state: Path | None) -> str:
    """Return the command with `--state`; None: the default state folder."""
    return command if state is None else f"{command} --state {shlex.quote(str(state))}"


def add_state_to_commands(sentence: str, state: Path | None) -> str:
    """Return the sentence with `--state` added to each `cloudforest …` in it."""
    return _COMMAND_IN_BACKTICKS.sub(
        lambda found: f"`{add_state_option(found[1], state)}`", sentence
    )


def read_os_user() -> str:
    """Return the name of the account that runs this command, or else its uid."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
