"""Find the files of a tree and read their documents."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cloudforest.base.diagnostics import Diagnostic, Location
from cloudforest.base.files import read_bounded
from cloudforest.compiler.document import Document
from cloudforest.compiler.yaml import parse_yaml

DOCUMENT_SUFFIXES = (".yaml", ".yml")
MAX_FILE_BYTES = 2**20
"""Enough for 10,000 organizational units or 1,000 documents."""


@dataclass
class TreeReading:
    """What was read; `is_complete` is false when a text could not be read."""

    file_count: int = 0
    documents: list[Document] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    is_complete: bool = True

    def add_unreadable(self, diagnostic: Diagnostic) -> None:
        self.is_complete = False
        self.diagnostics.append(diagnostic)


def read_tree(folder: Path) -> TreeReading:
    """Read every document below `folder`, sorted by file name."""
    reading = TreeReading()
    for path in _find_files(folder, reading):
        reading.file_count += 1
        read_file(path, path.relative_to(folder).as_posix(), reading)
    if reading.is_complete and not reading.documents and not reading.diagnostics:
        reading.add_unreadable(
            Diagnostic(
                "no-documents",
                "The tree has no documents. Begin with a file `tenant.yaml` that "
                "declares a Tenant.",
                Location(".", 1, 1),
            )
        )
    return reading


def _find_files(folder: Path, reading: TreeReading) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        reading.add_unreadable(
            _make_unreadable_folder(folder, Path(error.filename), error)
        )

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in [*folders, *sorted(names)]:
            path = Path(parent, name)
            is_document = name in names and path.suffix.lower() in DOCUMENT_SUFFIXES
            if name.startswith(".") or not (is_document or name in folders):
                continue
            if not _is_link_out_of_tree(path, folder, reading) and is_document:
                yield path


def _make_unreadable_folder(folder: Path, path: Path, error: OSError) -> Diagnostic:
    if path == folder:
        return Diagnostic(
            "unreadable-tree",
            f'Cannot read the folder "{folder.name}" ({error.strerror}). Name the '
            "folder that holds the tree.",
            Location(".", 1, 1),
        )
    inside = path.relative_to(folder).as_posix()
    return Diagnostic(
        "unreadable-file",
        f'Cannot read the folder "{inside}" ({error.strerror}). Make it readable, or '
        "move it out of the tree.",
        Location(inside, 1, 1),
    )


def _is_link_out_of_tree(path: Path, folder: Path, reading: TreeReading) -> bool:
    inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    if inside or not path.is_symlink():
        return False
    reading.add_unreadable(
        Diagnostic(
            "link-out-of-tree",
            f'The link "{path.name}" points outside the tree. Replace it with a copy, '
            "so that a review shows everything that is applied.",
            Location(path.relative_to(folder).as_posix(), 1, 1),
        )
    )
    return True


def read_file(path: Path, name: str, reading: TreeReading) -> None:
    """Add the documents of one file; `name` is the file name in locations."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            # Reading a pipe would block until somebody writes to it.
            reading.add_unreadable(_make_unusable_file(name, "is not a regular file"))
            return
        if status.st_size > MAX_FILE_BYTES:
            reading.add_unreadable(_make_too_large(name, status.st_size))
            return
        # It may have grown since, or have no size, like the files of /proc.
        text = read_bounded(path, MAX_FILE_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        loops = isinstance(error, OSError) and error.errno == errno.ELOOP
        found = _make_unusable_file(name, "is a link to itself") if loops else None
        reading.add_unreadable(found or _make_unreadable_file(name, error))
        return
    documents, diagnostics, complete = parse_yaml(name, _with_unix_lines(text))
    reading.documents.extend(documents)
    reading.diagnostics.extend(diagnostics)
    reading.is_complete = reading.is_complete and complete


def _with_unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _make_too_large(name: str, size: int) -> Diagnostic:
    message = (
        f"The file has {size / 2**20:.1f} MiB; the limit is 1 MiB. Split it, or move "
        "it out of the tree if it holds data."
    )
    return Diagnostic("too-large", message, Location(name, 1, 1))


def _make_unusable_file(name: str, why: str) -> Diagnostic:
    message = f"This {why}. Replace it with a file, or move it out of the tree."
    return Diagnostic("unreadable-file", message, Location(name, 1, 1))


def _make_unreadable_file(name: str, error: OSError | UnicodeDecodeError) -> Diagnostic:
    place = Location(name, 1, 1)
    if isinstance(error, UnicodeDecodeError):
        before = error.object[: error.start]
        column = len(before) - before.rfind(b"\n")
        place = Location(name, before.count(b"\n") + 1, column)
        message = (
            f"The byte 0x{error.object[error.start]:02x} is not valid UTF-8. Save the "
            "file as UTF-8."
        )
    else:
        message = f"Cannot read the file ({error.strerror}). Make it readable."
    return Diagnostic("unreadable-file", message, place)
