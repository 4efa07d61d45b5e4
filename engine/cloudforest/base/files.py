"""Private files: only the owner reads them, and nobody ever sees half of one."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def private_folder(path: Path) -> Path:
    """Make the folder (0700) if it is missing; return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write_private(path: Path, data: bytes) -> None:
    """Write aside with mode 0600, then move into place."""
    private_folder(path.parent)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def create_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the file's content; whoever finds it missing makes it, one at a time."""
    if path.exists():
        return path.read_bytes()
    folder = os.open(private_folder(path.parent), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        # Another process may have made it while we waited for the lock.
        if not path.exists():
            write_private(path, make())
    finally:
        os.close(folder)
    return path.read_bytes()
