"""A file cut at its blank lines, block by block."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cloudforest.adapters.directory.ldif.file import unreadable
from cloudforest.base.errors import Rejected

_READ_BYTES = 1 << 18
_LARGEST = 1 << 28
"""No entry of an AD comes near 256 MB; a file that is no LDIF may be one block."""


@dataclass(frozen=True)
class Block:
    """Lines without a blank one between them; `start` is the first one's number."""

    path: Path
    start: int
    raw: bytes

    def joined(self) -> bytes:
        """Return the lines with continuations joined (RFC 2849, note 2)."""
        return self.raw.replace(b"\n ", b"")

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield each joined line with the number of the line where it starts."""
        number = self.start
        for line in self.raw.replace(b"\n ", b"\r").split(b"\n"):
            yield number, line.replace(b"\r", b"")
            number += 1 + line.count(b"\r")


def _chunks(path: Path) -> Iterator[bytes]:
    held = b""
    try:
        with path.open("rb") as file:
            if file.read(len(BOM_UTF8)) != BOM_UTF8:
                file.seek(0)
            while chunk := held + file.read(_READ_BYTES):
                # The second half of a line end may come with the next chunk.
                held = b"\r" if chunk.endswith(b"\r") and chunk != held else b""
                yield chunk.removesuffix(held).replace(b"\r\n", b"\n")
    except OSError as error:
        raise unreadable(path, error) from error


def _parts(path: Path) -> Iterator[bytes]:
    """Yield what stands between two line ends in a row; line ends are LF."""
    rest = b""
    for chunk in _chunks(path):
        *whole, rest = (rest + chunk).split(b"\n\n")
        yield from whole
        if len(rest) > _LARGEST:
            raise Rejected(f"{path} has no blank lines, so it is not an LDIF file.")
    yield rest


def blocks(path: Path) -> Iterator[Block]:
    number = 1
    for raw in _parts(path):
        text = raw.lstrip(b"\n")
        start = number + len(raw) - len(text)
        number += raw.count(b"\n") + 2
        if text.startswith(b" "):
            raise Rejected(
                f"{path}:{start}: this line continues a line that is not there. Export "
                "the domain again, for example with ldapsearch, and replace the file."
            )
        if text:
            yield Block(path, start, text.rstrip(b"\n"))
