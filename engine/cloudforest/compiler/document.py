"""The index from a document path to the place where it was written.

The line that a complaint is about, unless it may hold a secret.

A document, and a complaint about it that is placed afterwards.
"""

from __future__ import annotations

import re
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
"""Words of keys, and of some that are close; not `passportNumber` or `secretary`."""


@lru_cache(maxsize=64)
def _is_near_secret(text: str) -> bool:
    """Remember the last answers: one long line may have a hundred complaints."""
    return _SECRET_WORDS.search(text) is not None


def excerpt_line(text: str, index: int, path: DocumentPath = ()) -> str | None:
    """Return the line around a character of a text.

    None if a credential belongs here, or on the line before: who wrote it in plain text
    must not find it in a build log as well.
    """
    start = text.rfind("\n", 0, index) + 1
    before = text.rfind("\n", 0, max(start - 1, 0)) + 1
    end = text.find("\n", index)
    lines = text[before : len(text) if end < 0 else end]
    named = " ".join(part for part in path if isinstance(part, str))
    if _is_near_secret(lines) or _is_near_secret(named):
        return None
    return lines[start - before :].rstrip("\r") or None


ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


@dataclass(frozen=True, slots=True)
class TextRange:
    """A node in its text: `line` and `column` from 1, `start` and `end` from 0.

    `value` is what text of several lines that has no quotes is read as.
    """

    line: int
    column: int
    start: int
    end: int
    value: str = ""


@dataclass(frozen=True)
class Locations:
    """`keys` are where keys stand, `values` where their values do."""

    file: str
    text: str = field(repr=False)
    keys: dict[DocumentPath, TextRange] = field(repr=False)
    values: dict[DocumentPath, TextRange] = field(repr=False)

    def locate(
        self,
        path: DocumentPath,
        *,
        at_key: bool = False,
        offset: int | None = None,
    ) -> Location:
        """Return the place of `path`, or of the nearest part of it that was written.

        `offset` counts characters of the value; it is found again in text of one line
        and in blocks, but not in quoted text of several lines.
        """
        span = self._find_range(path, at_key=at_key)
        index = self._find_index(span, offset)
        begin = self.text.rfind("\n", 0, index) + 1
        if begin <= span.start:
            return Location(self.file, span.line, span.column + index - span.start)
        line = span.line + self.text.count("\n", span.start, index)
        return Location(self.file, line, index - begin + 1)

    def excerpt(
        self,
        path: DocumentPath,
        *,
        at_key: bool = False,
        offset: int | None = None,
    ) -> str | None:
        """Return the line of the place, unless it may hold a secret."""
        span = self._find_range(path, at_key=at_key)
        return excerpt_line(self.text, self._find_index(span, offset), path)

    def with_paths(self, paths: dict[DocumentPath, DocumentPath]) -> Locations:
        """Return the places of a document in which other paths stand for these."""
        keys, values = (
            {new: spans[old] for new, old in paths.items() if old in spans}
            for spans in (self.keys, self.values)
        )
        return replace(self, keys=keys, values=values)

    def _find_index(self, span: TextRange, offset: int | None) -> int:
        if offset is None:
            return span.start
        raw = self.text[span.start : span.end]
        if span.value:
            return span.start + find_folded_offset(raw, span.value, offset)
        return span.start + find_written_offset(raw, offset)

    def _find_range(self, path: DocumentPath, *, at_key: bool) -> TextRange:
        if at_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values[path]


def find_folded_offset(raw: str, value: str, offset: int) -> int:
    """Return where character `offset` of text in several lines is written.

    Folding and indentation change white space and nothing else.
    """
    body = raw.index("\n") if raw[:1] in {"|", ">"} else 0
    before = sum(not each.isspace() for each in value[:offset])
    places = [at for at in range(body, len(raw)) if not raw[at].isspace()]
    is_blank = offset >= len(value) or value[offset].isspace()
    if before and is_blank:
        return places[before - 1] + 1
    return places[before] if before < len(places) else 0


def find_written_offset(raw: str, offset: int) -> int:
    """Return where character `offset` of a scalar stands in its text as written."""
    if "\n" in raw:
        return 0
    if raw[:1] not in {"'", '"'}:
        return offset
    position = 1
    for _ in range(offset):
        position += _escape_length(raw, position)
    return position


def _escape_length(raw: str, position: int) -> int:
    if raw[0] == "'":
        return 2 if raw.startswith("''", position) else 1
    if raw.startswith("\\", position):
        return ESCAPE_LENGTHS.get(raw[position + 1 : position + 2], 2)
    return 1


@dataclass(frozen=True)
class Document:
    """One document; `sound` is false when a part of it could not be read."""

    content: dict[str, Any]
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

    def with_content(self, content: dict[str, Any]) -> Document:
        return replace(self, content=content)


@dataclass(frozen=True)
class DocumentDiagnostic:
    """What is wrong at a path of a document; `offset` is a character of its text.

    The line of one that is `hidden` is not shown. `meant` is the key that a misspelt
    one stands for.
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
        places = self.document.locations
        place = places.locate(self.path, at_key=self.at_key, offset=self.offset)
        line = places.excerpt(self.path, at_key=self.at_key, offset=self.offset)
        line = None if self.is_line_hidden else line
        return Diagnostic(self.id, self.message, place, self.severity, line)
