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

_REPLACE = "Replace it with a file, or move it out of the tree."


@dataclass
class TreeReading:
    """What was read; `is_complete` is false when a text could not be read."""

    file_count: int = 0
    documents: list[Document] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    is_complete: bool = True

    def add_unreadable(
        self, id_: str, message: str, file: str, line: int = 1, column: int = 1
    ) -> None:
        self.is_complete = False
        self.diagnostics.append(Diagnostic(id_, message, Location(file, line, column)))


def read_tree(folder: Path) -> TreeReading:
    """Read every document below `folder`, sorted by file name."""
    reading = TreeReading()
    for path in _find_files(folder, reading):
        reading.file_count += 1
        read_file(path, path.relative_to(folder).as_posix(), reading)
    if reading.is_complete and not reading.documents and not reading.diagnostics:
        reading.add_unreadable(
            "no-documents",
            "The tree has no documents. Begin with a file `tenant.yaml` that declares "
            "a Tenant.",
            ".",
        )
    return reading


def _find_files(folder: Path, reading: TreeReading) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        inside = Path(error.filename).relative_to(folder).as_posix()
        if inside == ".":
            message = (
                f'Cannot read the folder "{folder.name}" ({error.strerror}). Name the '
                "folder that holds the tree."
            )
            reading.add_unreadable("unreadable-tree", message, ".")
            return
        message = (
            f'Cannot read the folder "{inside}" ({error.strerror}). Make it readable, '
            "or move it out of the tree."
        )
        reading.add_unreadable("unreadable-file", message, inside)

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        for name in [*folders, *sorted(names)]:
            path = Path(parent, name)
            is_document = name in names and path.suffix.lower() in DOCUMENT_SUFFIXES
            if name.startswith(".") or not (is_document or name in folders):
                continue
            if not _is_link_out_of_tree(path, folder, reading) and is_document:
                yield path


def _is_link_out_of_tree(path: Path, folder: Path, reading: TreeReading) -> bool:
    inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
    if inside or not path.is_symlink():
        return False
    message = (
        f'The link "{path.name}" points outside the tree. Replace it with a copy, so '
        "that a review shows everything that is applied."
    )
    name = path.relative_to(folder).as_posix()
    reading.add_unreadable("link-out-of-tree", message, name)
    return True


def read_file(path: Path, name: str, reading: TreeReading) -> None:
    """Add the documents of one file; `name` is the file name in locations."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            # Reading a pipe would block until somebody writes to it.
            message = f"This is not a regular file. {_REPLACE}"
            reading.add_unreadable("unreadable-file", message, name)
            return
        if status.st_size > MAX_FILE_BYTES:
            message = (
                f"The file has {status.st_size / 2**20:.1f} MiB; the limit is 1 MiB. "
                "Split it, or move it out of the tree if it holds data."
            )
            reading.add_unreadable("too-large", message, name)
            return
        # It may have grown since, or have no size, like the files of /proc.
        text = read_bounded(path, MAX_FILE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before, wrong = error.object[: error.start], error.object[error.start]
        message = f"The byte 0x{wrong:02x} is not valid UTF-8. Save the file as UTF-8."
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        reading.add_unreadable("unreadable-file", message, name, line, column)
        return
    except OSError as error:
        message = f"Cannot read the file ({error.strerror}). Make it readable."
        if error.errno == errno.ELOOP:
            message = f"This is a link to itself. {_REPLACE}"
        reading.add_unreadable("unreadable-file", message, name)
        return
    unix_text = text.replace("\r\n", "\n").replace("\r", "\n")
    documents, diagnostics, complete = parse_yaml(name, unix_text)
    reading.documents.extend(documents)
    reading.diagnostics.extend(diagnostics)
    reading.is_complete &= complete
