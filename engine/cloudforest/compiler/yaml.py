"""Parser events to documents, with a place for each key and value.

What a plain scalar means: the core schema of YAML 1.2, without infinities.

One file's text to documents, or to where its YAML breaks off.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark
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
from ruamel.yaml.reader import ReaderError

from cloudforest.base.diagnostics import Diagnostic, DocumentPath, Place
from cloudforest.compiler.document import Document, Places, Span, excerpt

Plain = str | int | float | bool | None

WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")


def plain(text: str) -> Plain:
    """Return the value of a scalar without quotes; `on`, `off`, `yes` are text."""
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        return int(text)
    if FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


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


MOST = 100
TOO_DEEP = (
    f"The document is more than {DEPTH_LIMIT} levels deep; nothing in the "
    "language is, so something was indented or bracketed by mistake."
)
TOO_WRONG = (
    f"More than {MOST} things are wrong in this file; what follows here was not read, "
    "and is told when these are mended."
)


class Parsed(NamedTuple):
    """A file's documents, what is wrong, and whether all of it was read."""

    documents: list[Document]
    diagnostics: list[Diagnostic]
    complete: bool


def parse(file: str, text: str) -> Parsed:
    """Parse fast, in C; slowly where something is wrong.

    The slow parser judges: it knows YAML 1.2 where the fast one knows 1.1. Where the
    fast one finds no fault, they read the same (a test compares them), but for tabs.
    """
    return ("\t" not in text and _fast(file, text)) or _slowly(file, text)


def _fast(file: str, text: str) -> Parsed | None:
    composer = Composer(file, text, YAML(typ="safe").parse(text), most=0)
    try:
        return Parsed(list(composer.documents()), [], complete=True)
    except (GaveUpError, MarkedYAMLError, ReaderError):
        return None


def _slowly(file: str, text: str) -> Parsed:
    events = YAML(typ="safe", pure=True).parse(text)
    composer = Composer(file, text, events, most=MOST)
    documents: list[Document] = []
    try:
        documents.extend(composer.documents())
    except TooDeepError as error:
        fault = Diagnostic("too-deep", TOO_DEEP, error.place)
    except TooWrongError as error:
        fault = Diagnostic("more-mistakes", TOO_WRONG, error.place)
    except MarkedYAMLError as error:
        fault = _syntax(file, text, error)
    except ReaderError as error:
        fault = _unreadable_character(file, text, error)
    else:
        return Parsed(documents, composer.diagnostics, complete=True)
    return Parsed(documents, [*composer.diagnostics, fault], complete=False)


def _syntax(file: str, text: str, error: MarkedYAMLError) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
    line = excerpt(text, mark.index) if mark else None
    if "'\\t'" in str(error.problem):
        message = "A tab can't indent or begin a value in YAML; use spaces."
        return Diagnostic("yaml-syntax", message, place, excerpt=line)
    problem = " ".join(str(error.problem or error.context).split())
    return Diagnostic(
        "yaml-syntax",
        f"This is not YAML: {problem}; look at the quotes, colons and indentation "
        "here and on the line before.",
        place,
        excerpt=line,
    )


def _unreadable_character(file: str, text: str, error: ReaderError) -> Diagnostic:
    before = text[: error.position]
    return Diagnostic(
        "yaml-syntax",
        f"The character U+{error.character:04X} can't be in YAML; remove it.",
        Place(file, before.count("\n") + 1, len(before) - before.rfind("\n")),
    )
