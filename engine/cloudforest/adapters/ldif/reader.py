"""LDIF content records (RFC 2849), one at a time, with their places.

Lines are joined, checked and picked by bytes methods and regular expressions that work
on a whole record, in half the time of a loop over lines.

An export as a file: whether it is still the same, and whether it is whole.

A file cut at its blank lines, block by block.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cloudforest.base.errors import Misconfigured, Rejected
from cloudforest.base.files import read_bounded

FileStamp = tuple[int, int, int, int | None]
"""The file's inode, time in nanoseconds and size, and the checksum's time."""


def make_unreadable_error(path: Path, error: OSError) -> Misconfigured:
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
        raise make_unreadable_error(path, error) from error


def read_stamp(path: Path) -> FileStamp:
    """Return what changes whenever the file, or the checksum beside it, does."""
    try:
        export = path.stat()
    except OSError as error:
        raise make_unreadable_error(path, error) from error
    try:
        checksum = _checksum_path(path).stat().st_mtime_ns
    except OSError:
        checksum = None
    return export.st_ino, export.st_mtime_ns, export.st_size, checksum


def find_stamp(path: Path) -> FileStamp | None:
    """Return None while the file is away, as it may be while it is replaced."""
    try:
        return read_stamp(path)
    except Misconfigured:
        return None


def _checksum_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def matches_checksum(path: Path, digest: str) -> bool:
    checksum = _checksum_path(path)
    try:
        expected = read_bounded(checksum).decode().split()[:1]
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


_READ_BYTES = 1 << 18
_MAX_BLOCK_BYTES = 1 << 28
"""No entry of an AD comes near 256 MB; a file that is no LDIF may be one block."""


@dataclass(frozen=True)
class Block:
    """Lines without a blank one between them; `start` is the first one's number."""

    path: Path
    start: int
    raw: bytes

    def unfold(self) -> bytes:
        """Return the lines with continuations joined (RFC 2849, note 2)."""
        return self.raw.replace(b"\n ", b"")

    def numbered_lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield each joined line with the number of the line where it starts."""
        number = self.start
        for line in self.raw.replace(b"\n ", b"\r").split(b"\n"):
            yield number, line.replace(b"\r", b"")
            number += 1 + line.count(b"\r")


def _read_chunks(path: Path) -> Iterator[bytes]:
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
        raise make_unreadable_error(path, error) from error


def _split_at_blank_lines(path: Path) -> Iterator[bytes]:
    """Yield what stands between two line ends in a row; line ends are LF."""
    rest = b""
    for chunk in _read_chunks(path):
        *whole, rest = (rest + chunk).split(b"\n\n")
        yield from whole
        if len(rest) > _MAX_BLOCK_BYTES:
            raise Rejected(f"{path} has no blank lines, so it is not an LDIF file.")
    yield rest


def read_blocks(path: Path) -> Iterator[Block]:
    number = 1
    for raw in _split_at_blank_lines(path):
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


BytesPattern = re.Pattern[bytes]

# It ends a block, if not the file: before an entry it proves nothing.
_TRAILER = re.compile(rb"^# numEntries: (\d+)[^\n]*(?:\n#[^\n]*)*\Z", re.MULTILINE)
_COMMENT = re.compile(rb"^#.*\n?", re.MULTILINE)
# Windows' ldifde writes `changetype: add` into each entry of an export.
_LINE = rb"(?!changetype:(?! *add *(?:\n|\Z))|control:)[a-z0-9][a-z0-9._;=*-]*:(?!<).*"
_ATTRIBUTE = re.compile(_LINE, re.IGNORECASE)
_RECORD = re.compile(rb"dn:.*(?:\n" + _LINE + rb")*", re.IGNORECASE)
# ldapsearch writes these beside the entries: how the search ended, and referrals.
_RESULT = re.compile(rb"^result: (?!0 )", re.MULTILINE)
_NO_ENTRY = (b"search:", b"result:", b"ref:")


@dataclass(frozen=True)
class Trailer:
    """The number of entries that the exporting tool says it has written."""

    line: int
    entries: int


def _raise_malformed(path: Path, line: int, what: str) -> NoReturn:
    raise make_malformed_error(path, line, what)


@dataclass(frozen=True)
class LdifEntry:
    """One entry; `text` is its lines, joined and without comments."""

    block: Block
    text: bytes

    @property
    def dn(self) -> str:
        line = self.text.partition(b"\n")[0]
        is_encoded = line.startswith(b"::", 2)
        value = line[4:] if is_encoded else line[3:]
        value = value.strip(b" ")
        raw = self._decode_base64(value) if is_encoded else value
        return raw.decode(errors="replace")

    def attribute_values(self, pattern: BytesPattern) -> dict[str, list[bytes]]:
        """Return the attributes wanted, decoded; names are in lower case."""
        attributes: dict[str, list[bytes]] = {}
        for name, encoded, value in pattern.findall(self.text):
            held = attributes.setdefault(name.decode().lower(), [])
            held.append(self._decode_base64(value) if encoded else value)
        return attributes

    def _decode_base64(self, value: bytes) -> bytes:
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            for number, line in self.block.numbered_lines():
                if line.endswith(value):
                    _raise_malformed(
                        self.block.path, number, "holds a value that is not base64"
                    )
            raise


def attribute_pattern(names: Iterable[str]) -> BytesPattern:
    """Compile what `Record.values` looks for; options such as `;range=` are ignored."""
    choice = b"|".join(re.escape(each.encode()) for each in sorted(names))
    return re.compile(
        rb"^(" + choice + rb")(?:;[^:\n]*)?:(:?) *(.*)$", re.IGNORECASE | re.MULTILINE
    )


def _skip_version(block: Block, text: bytes) -> bytes:
    line, _, rest = text.partition(b"\n")
    if line.partition(b":")[2].strip() != b"1":
        _raise_malformed(block.path, block.start, "announces a version other than 1")
    return rest


def _is_remark(block: Block, text: bytes) -> bool:
    if not text.startswith(_NO_ENTRY):
        return False
    if _RESULT.search(text):
        _raise_malformed(
            block.path, block.start, "says that the export ended with an error"
        )
    return True


def _refuse_bad_line(block: Block) -> NoReturn:
    lines = (each for each in block.numbered_lines() if not each[1].startswith(b"#"))
    first, *rest = [each for each in lines if not each[1].startswith(b"version:")]
    if not first[1].lower().startswith(b"dn:"):
        _raise_malformed(block.path, first[0], "should begin an entry with `dn:`")
    for number, line in rest:
        if _ATTRIBUTE.fullmatch(line):
            continue
        if line.lower().startswith((b"changetype:", b"control:")):
            _raise_malformed(
                block.path, number, "is of a change; only exports can be read"
            )
        else:
            _raise_malformed(
                block.path, number, "is not of the form `attribute: value`"
            )
    raise AssertionError(block.start)


def read_ldif(
    path: Path, prefilter: BytesPattern | None = None
) -> Iterator[LdifEntry | Trailer]:
    """Yield the records of a file, never holding more than one.

    `maybe` is what a record must hold to be looked at any further: its file has been
    read once without. Raises Rejected with file and line where it is malformed,
    Misconfigured when it can't be opened.
    """
    for block in read_blocks(path):
        text = block.unfold()
        if prefilter is not None and not prefilter.search(text):
            continue
        ending = _TRAILER.search(text)
        if text.startswith(b"#") or b"\n#" in text:
            text = _COMMENT.sub(b"", text).rstrip(b"\n")
        if text.startswith(b"version:"):
            text = _skip_version(block, text)
        if text and not _is_remark(block, text):
            if not _RECORD.fullmatch(text):
                _refuse_bad_line(block)
            yield LdifEntry(block, text)
        if ending:
            yield Trailer(block.start, int(ending[1]))


def make_malformed_error(path: Path, line: int, what: str) -> Rejected:
    return Rejected(
        f"{path}:{line}: this line {what}. Export the domain again, for example with "
        "ldapsearch, and replace the file."
    )
