"""Which files of a folder are documents, and their text."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cloudforest.base.diagnostics import Diagnostic, Place
from cloudforest.compiler.document import Document
from cloudforest.compiler.yaml import parse

SUFFIXES = (".yaml", ".yml")
LARGEST = 2**20
"""Bytes of one file: ten thousand organizational units, or a thousand documents."""


@dataclass
class Reading:
    """What was found; `complete` is false when any text could not be read."""

    files: int = 0
    documents: list[Document] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    complete: bool = True

    def miss(self, diagnostic: Diagnostic) -> None:
        self.complete = False
        self.diagnostics.append(diagnostic)


def read_tree(folder: Path) -> Reading:
    """Read every document below `folder`, in the order of their names."""
    reading = Reading()
    for path in _files(folder, reading):
        reading.files += 1
        read_file(path, path.relative_to(folder).as_posix(), reading)
    if reading.complete and not reading.documents and not reading.diagnostics:
        reading.miss(
            Diagnostic(
                "no-documents",
                "There is no document in this tree; "
                "begin with a file `tenant.yaml` that declares a Tenant.",
                Place(".", 1, 1),
            )
        )
    return reading


def _files(folder: Path, reading: Reading) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        reading.miss(_unreadable_folder(folder, Path(error.filename), error))

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in [*folders, *sorted(names)]:
            path = Path(parent, name)
            is_document = name in names and path.suffix.lower() in SUFFIXES
            if name.startswith(".") or not (is_document or name in folders):
                continue
            if not _leaves(path, folder, reading) and is_document:
                yield path


def _unreadable_folder(folder: Path, path: Path, error: OSError) -> Diagnostic:
    if path == folder:
        return Diagnostic(
            "unreadable-tree",
            f'The folder "{folder.name}" can\'t be read ({error.strerror}); '
            "name the folder that holds the tree.",
            Place(".", 1, 1),
        )
    inside = path.relative_to(folder).as_posix()
    return Diagnostic(
        "unreadable-file",
        f'The folder "{inside}" can\'t be read ({error.strerror}); '
        "make it readable, or move it out of the tree.",
        Place(inside, 1, 1),
    )


def _leaves(path: Path, folder: Path, reading: Reading) -> bool:
    inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    if inside or not path.is_symlink():
        return False
    reading.miss(
        Diagnostic(
            "link-out-of-tree",
            f'The link "{path.name}" leads out of the tree; '
            "put a copy here, so that a review sees all that is applied.",
            Place(path.relative_to(folder).as_posix(), 1, 1),
        )
    )
    return True


def read_file(path: Path, name: str, reading: Reading) -> None:
    """Add the documents of one file; `name` is what its places are called."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            # A pipe would be waited for until somebody writes to it.
            reading.miss(_unusable_file(name, "is not a regular file"))
            return
        if status.st_size > LARGEST:
            reading.miss(_too_large(name, status.st_size))
            return
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        loops = isinstance(error, OSError) and error.errno == errno.ELOOP
        found = _unusable_file(name, "is a link to itself") if loops else None
        reading.miss(found or _unreadable_file(name, error))
        return
    documents, diagnostics, complete = parse(name, text)
    reading.documents.extend(documents)
    reading.diagnostics.extend(diagnostics)
    reading.complete = reading.complete and complete


def _too_large(name: str, size: int) -> Diagnostic:
    message = (
        f"The file has {size / 2**20:.1f} MiB, and a file of documents at most 1; "
        "divide it, or move it out of the tree if it is data."
    )
    return Diagnostic("too-large", message, Place(name, 1, 1))


def _unusable_file(name: str, why: str) -> Diagnostic:
    message = f"This {why}; put a file here, or move it out of the tree."
    return Diagnostic("unreadable-file", message, Place(name, 1, 1))


def _unreadable_file(name: str, error: OSError | UnicodeDecodeError) -> Diagnostic:
    place = Place(name, 1, 1)
    if isinstance(error, UnicodeDecodeError):
        before = error.object[: error.start]
        column = len(before) - before.rfind(b"\n")
        place = Place(name, before.count(b"\n") + 1, column)
        message = (
            f"The byte 0x{error.object[error.start]:02x} is not UTF-8; "
            "save the file as UTF-8."
        )
    else:
        message = f"The file can't be read ({error.strerror}); make it readable."
    return Diagnostic("unreadable-file", message, place)
