"""Read LDIF content records (RFC 2849) one at a time, with their line numbers.

Bytes methods and regular expressions work on a whole record, in half the time of a loop
over lines. Stamps and checksums show whether the file changed, and is complete.
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

from cloudforest.base.errors import Misconfigured, Rejected
from cloudforest.base.files import read_bounded

_EXPORT_AGAIN = (
    "Export the domain again, for example with ldapsearch, and replace the file."
)

FileStamp = tuple[int, int, int, int | None]
"""The file's inode, mtime in nanoseconds and size, and the checksum file's mtime."""

_READ_BYTES = 1 << 18
_MAX_BLOCK_BYTES = 1 << 28
"""256 MB: far more than any entry of AD. A file that is not LDIF may be one block."""
BytesPattern = re.Pattern[bytes]
# It must end a block, if not the file; before an entry it proves nothing.
_TRAILER = re.compile(rb"^# numEntries: (\d+)[^\n]*(?:\n#[^\n]*)*\Z", re.MULTILINE)
_COMMENT = re.compile(rb"^#.*\n?", re.MULTILINE)
# Windows' ldifde writes `changetype: add` into each entry of an export.
_LINE = rb"(?!changetype:(?! *add *(?:\n|\Z))|control:)[a-z0-9][a-z0-9._;=*-]*:(?!<).*"
_ATTRIBUTE = re.compile(_LINE, re.IGNORECASE)
_RECORD = re.compile(rb"dn:.*(?:\n" + _LINE + rb")*", re.IGNORECASE)
# ldapsearch also writes how the search ended, and referrals.
_RESULT = re.compile(rb"^result: (?!0 )", re.MULTILINE)
_NO_ENTRY = (b"search:", b"result:", b"ref:")


def make_unreadable_error(path: Path, error: OSError) -> Misconfigured:
    return Misconfigured(
        f"The LDIF file {path} cannot be read ({error.strerror}). Put the export there,"
        " or correct the path in `ldif`."
    )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of the file as hexadecimal digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise make_unreadable_error(path, error) from error


def _checksum_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def read_stamp(path: Path) -> FileStamp:
    """Return a stamp that changes when the file or its checksum file changes."""
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
    """Return the stamp; None while the file is missing, as during a replacement."""
    try:
        return read_stamp(path)
    except Misconfigured:
        return None


def matches_checksum(path: Path, digest: str) -> bool:
    """Return whether FILE.sha256 exists; raise Rejected if it has another digest."""
    checksum = _checksum_path(path)
    try:
        expected = read_bounded(checksum).decode().split()[:1]
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The checksum {checksum} cannot be read.") from error
    if expected != [digest]:
        raise Rejected(
            f"The SHA-256 of {path} differs from {checksum}. The file was changed or "
            "cut short on the way. Copy it again."
        )
    return True


@dataclass(frozen=True)
class Block:
    """Lines without a blank line between them; `start` is the first line's number."""

    path: Path
    start: int
    raw: bytes

    def numbered_lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield each joined line with the number of the line where it starts."""
        number = self.start
        for line in self.raw.replace(b"\n ", b"\r").split(b"\n"):
            yield number, line.replace(b"\r", b"")
            number += 1 + line.count(b"\r")

    def malformed(self, what: str, line: int | None = None) -> Rejected:
        """Return the error for a line, or the first; `what` completes "this line …"."""
        place = f"{self.path}:{line or self.start}"
        return Rejected(f"{place}: this line {what}. {_EXPORT_AGAIN}")


def _read_chunks(path: Path) -> Iterator[bytes]:
    pending = b""
    try:
        with path.open("rb") as file:
            if file.read(len(BOM_UTF8)) != BOM_UTF8:
                file.seek(0)
            while chunk := pending + file.read(_READ_BYTES):
                # The second half of a line end may come with the next chunk.
                pending = b"\r" if chunk.endswith(b"\r") and chunk != pending else b""
                yield chunk.removesuffix(pending).replace(b"\r\n", b"\n")
    except OSError as error:
        raise make_unreadable_error(path, error) from error


def _split_at_blank_lines(path: Path) -> Iterator[bytes]:
    """Yield the parts between blank lines; line ends are LF."""
    rest = b""
    for chunk in _read_chunks(path):
        *parts, rest = (rest + chunk).split(b"\n\n")
        yield from parts
        if len(rest) > _MAX_BLOCK_BYTES:
            raise Rejected(f"{path} has no blank lines, so it is not an LDIF file.")
    yield rest


def read_blocks(path: Path) -> Iterator[Block]:
    number = 1
    for raw in _split_at_blank_lines(path):
        text = raw.lstrip(b"\n")
        start = number + len(raw) - len(text)
        number += raw.count(b"\n") + 2
        block = Block(path, start, text.rstrip(b"\n"))
        if text.startswith(b" "):
            raise block.malformed("continues a line that does not exist")
        if text:
            yield block


@dataclass(frozen=True)
class Trailer:
    """The number of entries that the exporting tool says it has written."""

    line: int
    entries: int


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
        """Return the values that the pattern finds, decoded; names in lower case."""
        attributes: dict[str, list[bytes]] = {}
        for name, encoded, value in pattern.findall(self.text):
            values = attributes.setdefault(name.decode().lower(), [])
            values.append(self._decode_base64(value) if encoded else value)
        return attributes

    def _decode_base64(self, value: bytes) -> bytes:
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            for number, line in self.block.numbered_lines():
                if line.endswith(value):
                    what = "has a value that is not base64"
                    raise self.block.malformed(what, number) from None
            raise


def attribute_pattern(names: Iterable[str]) -> BytesPattern:
    """Compile a pattern for `LdifEntry.attribute_values`.

    Options such as `;range=` are ignored.
    """
    choice = b"|".join(re.escape(each.encode()) for each in sorted(names))
    return re.compile(
        rb"^(" + choice + rb")(?:;[^:\n]*)?:(:?) *(.*)$", re.IGNORECASE | re.MULTILINE
    )


def _skip_version(block: Block, text: bytes) -> bytes:
    line, _, rest = text.partition(b"\n")
    if line.partition(b":")[2].strip() != b"1":
        raise block.malformed("declares an LDIF version other than 1")
    return rest


def _is_remark(block: Block, text: bytes) -> bool:
    if not text.startswith(_NO_ENTRY):
        return False
    if _RESULT.search(text):
        raise block.malformed("says that the export ended with an error")
    return True


def _make_bad_line_error(block: Block) -> Rejected:
    lines = (each for each in block.numbered_lines() if not each[1].startswith(b"#"))
    first, *rest = [each for each in lines if not each[1].startswith(b"version:")]
    if not first[1].lower().startswith(b"dn:"):
        return block.malformed("must start an entry with `dn:`", first[0])
    number, line = next(each for each in rest if not _ATTRIBUTE.fullmatch(each[1]))
    if line.lower().startswith((b"changetype:", b"control:")):
        what = "describes a change, but only exports can be read"
    else:
        what = "is not of the form `attribute: value`"
    return block.malformed(what, number)


def read_ldif(
    path: Path, prefilter: BytesPattern | None = None
) -> Iterator[LdifEntry | Trailer]:
    """Yield the records of a file, with one in memory at a time.

    Records without a match of `prefilter` are skipped unchecked, so the file must have
    been read once without it. Raises Rejected with file and line if the file is
    malformed, and Misconfigured if it cannot be opened.
    """
    for block in read_blocks(path):
        # Join continued lines (RFC 2849, note 2).
        text = block.raw.replace(b"\n ", b"")
        if prefilter is not None and not prefilter.search(text):
            continue
        ending = _TRAILER.search(text)
        if text.startswith(b"#") or b"\n#" in text:
            text = _COMMENT.sub(b"", text).rstrip(b"\n")
        if text.startswith(b"version:"):
            text = _skip_version(block, text)
        if text and not _is_remark(block, text):
            if not _RECORD.fullmatch(text):
                raise _make_bad_line_error(block)
            yield LdifEntry(block, text)
        if ending:
            yield Trailer(block.start, int(ending[1]))
