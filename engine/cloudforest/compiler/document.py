"""Documents, the locations of their keys and values, and diagnostics about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from cloudforest.base.diagnostics import Diagnostic, DocumentPath, Location, Severity

_SECRET_WORDS = re.compile(
    r"""auth(?!or(?!i[sz]ation)) | \bbasic\b | bearer | \bbind\b | credential | \benv\b
    | \bfile\b | keys?\b | mtls | pas+w | pass(?!port) | pw\b | pwd(?!LastSet)
    | secret(?!ary) | sensitive | token | ://\S*[@?\#] | [?\#]\S*=""",
    re.IGNORECASE | re.VERBOSE,
)
"""Words near a secret, misspelt ones too; not `passportNumber` or `secretary`."""
Content = dict[str, Any]
"""A block of keys of a document."""
ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


@dataclass(frozen=True, slots=True)
class TextRange:
    """The place of a node: `line` and `column` from 1, `start` and `end` from 0.

    `value` is the parsed value of unquoted text that spans several lines.
    """

    line: int
    column: int
    start: int
    end: int
    value: str = ""


@dataclass(frozen=True)
class Locations:
    """The place of each key and each value of a document, by path."""

    file: str
    text: str = field(repr=False)
    keys: dict[DocumentPath, TextRange] = field(repr=False)
    values: dict[DocumentPath, TextRange] = field(repr=False)

    def locate(
        self, path: DocumentPath, *, at_key: bool = False, offset: int | None = None
    ) -> Location:
        """Return the location of `path`, or of its nearest ancestor in the text.

        `offset` counts characters of the value. It is exact in text of one line and in
        blocks, and ignored in quoted text of several lines.
        """
        span, index = self.find_range(path, at_key=at_key, offset=offset)
        begin = self.text.rfind("\n", 0, index) + 1
        if begin <= span.start:
            return Location(self.file, span.line, span.column + index - span.start)
        line = span.line + self.text.count("\n", span.start, index)
        return Location(self.file, line, index - begin + 1)

    def with_paths(self, paths: dict[DocumentPath, DocumentPath]) -> Locations:
        """Return the locations of a rewritten document; `paths` maps new to old."""
        keys, values = (
            {new: spans[old] for new, old in paths.items() if old in spans}
            for spans in (self.keys, self.values)
        )
        return replace(self, keys=keys, values=values)

    def find_range(
        self, path: DocumentPath, *, at_key: bool, offset: int | None
    ) -> tuple[TextRange, int]:
        """Return the range of a node and the index of the character at `offset`."""
        if not (at_key and path in self.keys):
            at_key = False
            while path and path not in self.values:
                path = path[:-1]
        span = self.keys[path] if at_key else self.values[path]
        if offset is None:
            return span, span.start
        raw = self.text[span.start : span.end]
        if span.value:
            return span, span.start + find_folded_offset(raw, span.value, offset)
        return span, span.start + find_written_offset(raw, offset)


@dataclass(frozen=True)
class Document:
    """One document; `is_complete` is false when a part of it could not be read."""

    content: Content
    locations: Locations
    is_complete: bool = True

    @property
    def kind(self) -> str:
        return str(self.content.get("kind"))

    @property
    def name(self) -> str:
        return str(self.content.get("name"))

    @property
    def file(self) -> str:
        return self.locations.file

    def get(self, *path: str) -> Any:
        """Return the value at a path of keys, or None."""
        node: Any = self.content
        for key in path:
            node = node.get(key) if isinstance(node, dict) else None
        return node

    def error(self, id_: str, message: str, *path: str | int, **where: Any) -> Mistake:
        """Return a mistake at a path; `where` are fields of it."""
        return Mistake(id_, message, self, path, **where)

    def warning(self, id_: str, message: str, *path: str | int) -> Mistake:
        return Mistake(id_, message, self, path, Severity.WARNING)


@dataclass(frozen=True)
class Mistake:
    """A mistake at a path of a document; `offset` counts characters of its text.

    `is_line_hidden` keeps the line out of the excerpt. `intended_key` is the key that
    a misspelt one stands for.
    """

    id: str
    message: str
    document: Document
    path: DocumentPath = ()
    severity: Severity = Severity.ERROR
    at_key: bool = False
    offset: int | None = None
    is_line_hidden: bool = False
    intended_key: str | None = None

    def to_diagnostic(self) -> Diagnostic:
        places, path = self.document.locations, self.path
        location = places.locate(path, at_key=self.at_key, offset=self.offset)
        line = None
        if not self.is_line_hidden:
            _, at = places.find_range(path, at_key=self.at_key, offset=self.offset)
            line = excerpt_line(places.text, at, path)
        return Diagnostic(self.id, self.message, location, self.severity, line)


Mistakes = Iterator[Mistake]


@lru_cache(maxsize=64)
def _is_near_secret(text: str) -> bool:
    """Tell whether a text names a secret; cached, as one line can have 100 mistakes."""
    return _SECRET_WORDS.search(text) is not None


def excerpt_line(text: str, index: int, path: DocumentPath = ()) -> str | None:
    """Return the line around a character of a text.

    None if a credential belongs on this line or the line before: it may stand there in
    plain text, and must not reach a build log.
    """
    start = text.rfind("\n", 0, index) + 1
    before = text.rfind("\n", 0, max(start - 1, 0)) + 1
    end = text.find("\n", index)
    lines = text[before : len(text) if end < 0 else end]
    named = " ".join(part for part in path if isinstance(part, str))
    if _is_near_secret(lines) or _is_near_secret(named):
        return None
    return lines[start - before :].rstrip("\r") or None


def find_folded_offset(raw: str, value: str, offset: int) -> int:
    """Return the index in `raw` of character `offset` of folded or indented text.

    Folding and indentation only change white space, so other characters are counted.
    """
    body = raw.index("\n") if raw[:1] in {"|", ">"} else 0
    before = sum(not each.isspace() for each in value[:offset])
    places = [at for at in range(body, len(raw)) if not raw[at].isspace()]
    is_blank = offset >= len(value) or value[offset].isspace()
    if before and is_blank:
        return places[before - 1] + 1
    return places[before] if before < len(places) else 0


def _escape_length(raw: str, position: int) -> int:
    if raw[0] == "'":
        return 2 if raw.startswith("''", position) else 1
    if raw.startswith("\\", position):
        return ESCAPE_LENGTHS.get(raw[position + 1 : position + 2], 2)
    return 1


def find_written_offset(raw: str, offset: int) -> int:
    """Return the index in `raw`, quotes and escapes included, of character `offset`."""
    if "\n" in raw:
        return 0
    if raw[:1] not in {"'", '"'}:
        return offset
    position = 1
    for _ in range(offset):
        position += _escape_length(raw, position)
    return position
