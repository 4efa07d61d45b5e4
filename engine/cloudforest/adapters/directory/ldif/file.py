"""An export as a file: whether it is still the same, and whether it is whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cloudforest.base.errors import Misconfigured, Rejected

Stamp = tuple[int, int, int, int | None]
"""The file's inode, time in nanoseconds and size, and the checksum's time."""


def unreadable(path: Path, error: OSError) -> Misconfigured:
    return Misconfigured(
        f"The LDIF file {path} can't be read ({error.strerror}). Put the export there, "
        "or correct the path in ldif."
    )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of the file as hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def stamp_of(path: Path) -> Stamp:
    """Return what changes whenever the file, or the checksum beside it, does."""
    try:
        export = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        checksum = _checksum(path).stat().st_mtime_ns
    except OSError:
        checksum = None
    return export.st_ino, export.st_mtime_ns, export.st_size, checksum


def stamp_if_there(path: Path) -> Stamp | None:
    """Return None while the file is away, as it may be while it is replaced."""
    try:
        return stamp_of(path)
    except Misconfigured:
        return None


def _checksum(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def matches_checksum(path: Path, digest: str) -> bool:
    checksum = _checksum(path)
    try:
        expected = checksum.read_text(encoding="utf-8").split()[:1]
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The checksum {checksum} can't be read.") from error
    if expected != [digest]:
        raise Rejected(
            f"The SHA-256 of {path} is not the one in {checksum}. The file was changed "
            "or cut short on the way; copy it again."
        )
    return True
