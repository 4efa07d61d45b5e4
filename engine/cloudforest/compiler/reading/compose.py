"""Parser events to documents, with a place for each key and value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml.error import StringMark
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from cloudforest.base.diagnostics import Diagnostic, DocumentPath, Place
from cloudforest.compiler.document import Document
from cloudforest.compiler.excerpt import excerpt
from cloudforest.compiler.places import Places, Span
from cloudforest.compiler.reading.scalars import plain

DEPTH_LIMIT = 32
_QUOTES = frozenset("'\"")


class GaveUpError(Exception):
    """The rest of a file is not read; `place` is how far that went."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"gave up at {place}")
        self.place = place


class TooDeepError(GaveUpError):
    """A document is nested deeper than anything in the language."""


class TooWrongError(GaveUpError):
    """One more complaint than `most`."""


def _span(event: Event) -> Span:
    start, end = event.start_mark, event.end_mark
    value = ""
    if isinstance(event, ScalarEvent) and event.style not in _QUOTES:
        value = str(event.value) if start.line < end.line else ""
    return Span(start.line + 1, start.column + 1, start.index, end.index, value)


def _tag(event: Any) -> str:
    return str(event.ctag).replace("tag:yaml.org,2002:", "!!")


class Composer:
    """Turns parser events into plain values, and remembers where they stood.

    Working on events keeps depth bounded and never expands an alias.
    """

    def __init__(
        self, file: str, text: str, events: Iterator[Event], *, most: int
    ) -> None:
        self.most = most
        self.file = file
        self.text = text
        self.events = events
        self.diagnostics: list[Diagnostic] = []
        self.keys: dict[DocumentPath, Span] = {}
        self.values: dict[DocumentPath, Span] = {}

    def documents(self) -> Iterator[Document]:
        """Yield each document that is not empty; complaints are in `diagnostics`."""
        for event in self.events:
            if not isinstance(event, DocumentStartEvent):
                continue
            self.keys, self.values = {}, {}
            before = len(self.diagnostics)
            first = next(self.events)
            content = self._node(first, ())
            sound = len(self.diagnostics) == before
            if isinstance(content, dict):
                places = Places(self.file, self.text, self.keys, self.values)
                yield Document(content, places, sound=sound)
            elif content is not None:
                self._complain(
                    "not-a-document",
                    "A document is a block of keys that begins with `kind:`, "
                    "not a list or a single value; write `kind:` and `name:` first.",
                    first.start_mark,
                )

    def _node(self, event: Event, path: DocumentPath) -> Any:
        if len(path) > DEPTH_LIMIT:
            raise TooDeepError(self._place(event.start_mark))
        self.values[path] = _span(event)
        self._refuse_decorations(event)
        match event:
            case ScalarEvent():
                bare = not event.style and event.implicit[0]
                return plain(event.value) if bare else event.value
            case SequenceStartEvent():
                return self._sequence(path)
            case MappingStartEvent():
                return self._mapping(path)
            case _:
                return None

    def _refuse_decorations(self, event: Any) -> None:
        if isinstance(event, AliasEvent) or event.anchor is not None:
            self._complain(
                "yaml-alias",
                f'The anchor or alias "{event.anchor}" can\'t be used; '
                "write the value where it is needed.",
                event.start_mark,
            )
        elif event.ctag is not None:
            self._complain(
                "yaml-tag",
                f'The tag "{_tag(event)}" can\'t be used; '
                "remove it, and put text that looks like a number in quotes.",
                event.start_mark,
            )

    def _sequence(self, path: DocumentPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: DocumentPath) -> dict[str, Any]:
        content: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._key(event, path)
            if key is None or key in content:
                if key is not None:
                    self._duplicate(key, path, event)
                self._node(next(self.events), (*path, key or "", -1))
                continue
            self.keys[*path, key] = _span(event)
            content[key] = self._node(next(self.events), (*path, key))
        return content

    def _key(self, event: Event, path: DocumentPath) -> str | None:
        if isinstance(event, ScalarEvent):
            self._refuse_decorations(event)
            return str(event.value)
        self._node(event, (*path, "", -1))
        self._complain(
            "yaml-syntax",
            "A key is a single word or text, not a list or a block; put it in quotes.",
            event.start_mark,
        )
        return None

    def _duplicate(self, key: str, path: DocumentPath, event: Event) -> None:
        first = self.keys[*path, key].line
        self._complain(
            "duplicate-key",
            f'The key "{key}" is already on line {first}; keep one of the two.',
            event.start_mark,
        )

    def _complain(self, id_: str, message: str, mark: StringMark) -> None:
        if len(self.diagnostics) == self.most:
            raise TooWrongError(self._place(mark))
        line = excerpt(self.text, mark.index)
        found = Diagnostic(id_, message, self._place(mark), excerpt=line)
        self.diagnostics.append(found)

    def _place(self, mark: StringMark) -> Place:
        return Place(self.file, mark.line + 1, mark.column + 1)
