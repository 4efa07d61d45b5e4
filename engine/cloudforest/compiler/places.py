"""The index from a document path to the place where it was written."""

from __future__ import annotations

from dataclasses import dataclass, field

from cloudforest.base.diagnostics import DocumentPath, Place
from cloudforest.compiler.excerpt import excerpt

ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}


@dataclass(frozen=True, slots=True)
class Span:
    """A node in its text: `line` and `column` from 1, `start` and `end` from 0."""

    line: int
    column: int
    start: int
    end: int


@dataclass(frozen=True)
class Places:
    """`keys` are where keys stand, `values` where their values do."""

    file: str
    text: str = field(repr=False)
    keys: dict[DocumentPath, Span] = field(repr=False)
    values: dict[DocumentPath, Span] = field(repr=False)

    def place(
        self,
        path: DocumentPath,
        *,
        at_key: bool = False,
        offset: int | None = None,
    ) -> Place:
        """Return the place of `path`, or of the nearest part of it that was written.

        `offset` counts characters of the value; it is found again in quoted text, but
        not in text of several lines, which has its beginning as its place.
        """
        span = self._span(path, at_key=at_key)
        shift = 0 if offset is None else written_offset(self._raw(span), offset)
        return Place(self.file, span.line, span.column + shift)

    def excerpt(self, path: DocumentPath, *, at_key: bool = False) -> str | None:
        """Return the line of the place, unless it may hold a secret."""
        return excerpt(self.text, self._span(path, at_key=at_key).start, path)

    def _span(self, path: DocumentPath, *, at_key: bool) -> Span:
        if at_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values[path]

    def _raw(self, span: Span) -> str:
        return self.text[span.start : span.end]


def written_offset(raw: str, offset: int) -> int:
    """Return where character `offset` of a scalar stands in its text as written."""
    if "\n" in raw:
        return 0
    if raw[:1] not in {"'", '"'}:
        return offset
    position = 1
    for _ in range(offset):
        position += _length(raw, position)
    return position


def _length(raw: str, position: int) -> int:
    if raw[0] == "'":
        return 2 if raw.startswith("''", position) else 1
    if raw.startswith("\\", position):
        return ESCAPE_LENGTHS.get(raw[position + 1 : position + 2], 2)
    return 1
