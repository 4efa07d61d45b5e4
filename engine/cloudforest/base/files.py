"""Files: read up to a limit, private, written once, or shipped with the package."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cloudforest.base.errors import Misconfigured, Refused

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
MAX_BYTES = 2**20
"""Limit for keys, tokens, certificates and settings."""
MAX_DATA_BYTES = 2**26
"""Limit for saved plans, exported schemas and batches of expressions."""


def read_bounded(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the file's content; raises OSError (EFBIG) above `limit` bytes."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit >> 20} MiB", str(path))
    return data


def make_private_folder(path: Path) -> Path:
    """Make the folder (0700) unless it exists; return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def write_private_file(path: Path, data: bytes) -> None:
    """Write a temporary file (0600), then move it into place in one step."""
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
    """Return the file's content; make the file first if it is missing, under a lock."""
    if path.exists():
        return read_bounded(path)
    folder = os.open(make_private_folder(path.parent), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        # Another process may have created it while we waited for the lock.
        if not path.exists():
            write_private_file(path, make())
    finally:
        os.close(folder)
    return read_bounded(path)


def write_new_file(path: Path, text: str) -> None:
    """Write a file for people to edit; raises Refused if it exists."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise Refused(
            f'"{path}" already exists. Name another file, or remove it first.'
        ) from error
    except OSError as error:
        raise Misconfigured(
            f'Cannot write "{path}": {error.strerror}. Name another place.'
        ) from error


@cache
def find_shipped(name: str) -> Path:
    """Return the folder `schemas`, `mappings` or `topologies`.

    A wheel holds them inside the package; an editable install leaves them at the
    repository's root.
    """
    inside = PACKAGE_FOLDER / name
    return inside if inside.is_dir() else PACKAGE_FOLDER.parents[1] / name
