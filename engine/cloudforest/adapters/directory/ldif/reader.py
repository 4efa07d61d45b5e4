"""LDIF content records (RFC 2849), one at a time, with their places.

Lines are joined, checked and picked by bytes methods and regular expressions that work
on a whole record, in half the time of a loop over lines.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cloudforest.adapters.directory.ldif.blocks import Block, blocks
from cloudforest.base.errors import Rejected

Pattern = re.Pattern[bytes]

# It ends a block, if not the file: before an entry it proves nothing.
_ENTRIES = re.compile(rb"^# numEntries: (\d+)[^\n]*(?:\n#[^\n]*)*\Z", re.MULTILINE)
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


def _refuse(path: Path, line: int, what: str) -> NoReturn:
    raise malformed(path, line, what)


@dataclass(frozen=True)
class Record:
    """One entry; `text` is its lines, joined and without comments."""

    block: Block
    text: bytes

    @property
    def dn(self) -> str:
        line = self.text.partition(b"\n")[0]
        is_encoded = line.startswith(b"::", 2)
        value = line[4:] if is_encoded else line[3:]
        value = value.strip(b" ")
        raw = self._decoded(value) if is_encoded else value
        return raw.decode(errors="replace")

    def values(self, wanted: Pattern) -> dict[str, list[bytes]]:
        """Return the attributes wanted, decoded; names are in lower case."""
        attributes: dict[str, list[bytes]] = {}
        for name, encoded, value in wanted.findall(self.text):
            held = attributes.setdefault(name.decode().lower(), [])
            held.append(self._decoded(value) if encoded else value)
        return attributes

    def _decoded(self, value: bytes) -> bytes:
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            for number, line in self.block.lines():
                if line.endswith(value):
                    _refuse(self.block.path, number, "holds a value that is not base64")
            raise


def attributes(names: Iterable[str]) -> Pattern:
    """Compile what `Record.values` looks for; options such as `;range=` are ignored."""
    choice = b"|".join(re.escape(each.encode()) for each in sorted(names))
    return re.compile(
        rb"^(" + choice + rb")(?:;[^:\n]*)?:(:?) *(.*)$", re.IGNORECASE | re.MULTILINE
    )


def _after_version(block: Block, text: bytes) -> bytes:
    line, _, rest = text.partition(b"\n")
    if line.partition(b":")[2].strip() != b"1":
        _refuse(block.path, block.start, "announces a version other than 1")
    return rest


def _is_remark(block: Block, text: bytes) -> bool:
    if not text.startswith(_NO_ENTRY):
        return False
    if _RESULT.search(text):
        _refuse(block.path, block.start, "says that the export ended with an error")
    return True


def _refuse_bad_line(block: Block) -> NoReturn:
    lines = (each for each in block.lines() if not each[1].startswith(b"#"))
    first, *rest = [each for each in lines if not each[1].startswith(b"version:")]
    if not first[1].lower().startswith(b"dn:"):
        _refuse(block.path, first[0], "should begin an entry with `dn:`")
    for number, line in rest:
        if _ATTRIBUTE.fullmatch(line):
            continue
        if line.lower().startswith((b"changetype:", b"control:")):
            _refuse(block.path, number, "is of a change; only exports can be read")
        else:
            _refuse(block.path, number, "is not of the form `attribute: value`")
    raise AssertionError(block.start)


def read(path: Path, maybe: Pattern | None = None) -> Iterator[Record | Trailer]:
    """Yield the records of a file, never holding more than one.

    `maybe` is what a record must hold to be looked at any further: its file has been
    read once without. Raises Rejected with file and line where it is malformed,
    Misconfigured when it can't be opened.
    """
    for block in blocks(path):
        text = block.joined()
        if maybe is not None and not maybe.search(text):
            continue
        ending = _ENTRIES.search(text)
        if text.startswith(b"#") or b"\n#" in text:
            text = _COMMENT.sub(b"", text).rstrip(b"\n")
        if text.startswith(b"version:"):
            text = _after_version(block, text)
        if text and not _is_remark(block, text):
            if not _RECORD.fullmatch(text):
                _refuse_bad_line(block)
            yield Record(block, text)
        if ending:
            yield Trailer(block.start, int(ending[1]))


def malformed(path: Path, line: int, what: str) -> Rejected:
    return Rejected(
        f"{path}:{line}: this line {what}. Export the domain again, for example with "
        "ldapsearch, and replace the file."
    )
