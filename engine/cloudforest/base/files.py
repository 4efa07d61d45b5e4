"""Private files: only the owner reads them, and nobody ever sees half of one.

Files that are written once, for people to edit: nothing is ever replaced.

Where the schemas, mappings and topologies are that ship with the package.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cloudforest.base.errors import Misconfigured, Refused


def make_private_folder(path: Path) -> Path:
    """Make the folder (0700) if it is missing; return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write_private_file(path: Path, data: bytes) -> None:
    """Write aside with mode 0600, then move into place."""
    make_private_folder(path.parent)
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


def read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the file's content; whoever finds it missing makes it, one at a time."""
    if path.exists():
        return path.read_bytes()
    folder = os.open(make_private_folder(path.parent), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        # Another process may have made it while we waited for the lock.
        if not path.exists():
            write_private_file(path, make())
    finally:
        os.close(folder)
    return path.read_bytes()


def write_new_file(path: Path, text: str) -> None:
    """Write a file that is not there yet; raises Refused if it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise Refused(
            f"{path} is there already; name another one, or remove it first."
        ) from error
    except OSError as error:
        raise Misconfigured(
            f"{path} can't be written ({error.strerror}); name another place."
        ) from error


PACKAGE_FOLDER = Path(__file__).resolve().parents[1]


@cache
def find_shipped(name: str) -> Path:
    """Return the folder `schemas`, `mappings` or `topologies`.

    A wheel holds them inside the package; an editable install leaves them at the
    repository's root.
    """
    inside = PACKAGE_FOLDER / name
    return inside if inside.is_dir() else PACKAGE_FOLDER.parents[1] / name
