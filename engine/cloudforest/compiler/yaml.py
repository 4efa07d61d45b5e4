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

from cloudforest.base.diagnostics import Diagnostic, DocumentPath, Location
from cloudforest.compiler.document import Document, Locations, TextRange, excerpt_line

PlainScalar = str | int | float | bool | None

SCALAR_WORDS: dict[str, bool | None] = {
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
INTEGER_PATTERN = re.compile(r"[-+]?[0-9]{1,18}")
FLOAT_PATTERN = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")


def parse_scalar(text: str) -> PlainScalar:
    """Return the value of a scalar without quotes; `on`, `off`, `yes` are text."""
    if text in SCALAR_WORDS:
        return SCALAR_WORDS[text]
    if INTEGER_PATTERN.fullmatch(text):
        return int(text)
    if FLOAT_PATTERN.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


MAX_DEPTH = 32
_QUOTES = frozenset("'\"")


class ParseAbortedError(Exception):
    """The rest of a file is not read; `place` is how far that went."""

    def __init__(self, place: Location) -> None:
        super().__init__(f"gave up at {place}")
        self.place = place


class TooDeepError(ParseAbortedError):
    """A document is nested deeper than anything in the language."""


class TooManyMistakesError(ParseAbortedError):
    """One more complaint than `most`."""


def _make_range(event: Event) -> TextRange:
    start, end = event.start_mark, event.end_mark
    value = ""
    if isinstance(event, ScalarEvent) and event.style not in _QUOTES:
        value = str(event.value) if start.line < end.line else ""
    return TextRange(start.line + 1, start.column + 1, start.index, end.index, value)


def _format_tag(event: Any) -> str:
    return str(event.ctag).replace("tag:yaml.org,2002:", "!!")


class DocumentComposer:
    """Turns parser events into plain values, and remembers where they stood.

    Working on events keeps depth bounded and never expands an alias.
    """

    def __init__(
        self, file: str, text: str, events: Iterator[Event], *, most: int
    ) -> None:
        self.max_mistakes = most
        self.file = file
        self.text = text
        self.events = events
        self.diagnostics: list[Diagnostic] = []
        self.keys: dict[DocumentPath, TextRange] = {}
        self.values: dict[DocumentPath, TextRange] = {}

    def compose_documents(self) -> Iterator[Document]:
        """Yield each document that is not empty; complaints are in `diagnostics`."""
        for event in self.events:
            if not isinstance(event, DocumentStartEvent):
                continue
            self.keys, self.values = {}, {}
            before = len(self.diagnostics)
            first = next(self.events)
            content = self._compose_node(first, ())
            sound = len(self.diagnostics) == before
            if isinstance(content, dict):
                places = Locations(self.file, self.text, self.keys, self.values)
                yield Document(content, places, is_complete=sound)
            elif content is not None:
                self._report(
                    "not-a-document",
                    "A document is a block of keys that begins with `kind:`, "
                    "not a list or a single value; write `kind:` and `name:` first.",
                    first.start_mark,
                )

    def _compose_node(self, event: Event, path: DocumentPath) -> Any:
        if len(path) > MAX_DEPTH:
            raise TooDeepError(self._make_place(event.start_mark))
        self.values[path] = _make_range(event)
        self._refuse_anchor_or_tag(event)
        match event:
            case ScalarEvent():
                bare = not event.style and event.implicit[0]
                return parse_scalar(event.value) if bare else event.value
            case SequenceStartEvent():
                return self._compose_sequence(path)
            case MappingStartEvent():
                return self._compose_mapping(path)
            case _:
                return None

    def _refuse_anchor_or_tag(self, event: Any) -> None:
        if isinstance(event, AliasEvent) or event.anchor is not None:
            self._report(
                "yaml-alias",
                f'The anchor or alias "{event.anchor}" can\'t be used; '
                "write the value where it is needed.",
                event.start_mark,
            )
        elif event.ctag is not None:
            self._report(
                "yaml-tag",
                f'The tag "{_format_tag(event)}" can\'t be used; '
                "remove it, and put text that looks like a number in quotes.",
                event.start_mark,
            )

    def _compose_sequence(self, path: DocumentPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            items.append(self._compose_node(event, (*path, len(items))))
        return items

    def _compose_mapping(self, path: DocumentPath) -> dict[str, Any]:
        content: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._compose_key(event, path)
            if key is None or key in content:
                if key is not None:
                    self._report_duplicate(key, path, event)
                self._compose_node(next(self.events), (*path, key or "", -1))
                continue
            self.keys[*path, key] = _make_range(event)
            content[key] = self._compose_node(next(self.events), (*path, key))
        return content

    def _compose_key(self, event: Event, path: DocumentPath) -> str | None:
        if isinstance(event, ScalarEvent):
            self._refuse_anchor_or_tag(event)
            return str(event.value)
        self._compose_node(event, (*path, "", -1))
        self._report(
            "yaml-syntax",
            "A key is a single word or text, not a list or a block; put it in quotes.",
            event.start_mark,
        )
        return None

    def _report_duplicate(self, key: str, path: DocumentPath, event: Event) -> None:
        first = self.keys[*path, key].line
        self._report(
            "duplicate-key",
            f'The key "{key}" is already on line {first}; keep one of the two.',
            event.start_mark,
        )

    def _report(self, id_: str, message: str, mark: StringMark) -> None:
        if len(self.diagnostics) == self.max_mistakes:
            raise TooManyMistakesError(self._make_place(mark))
        line = excerpt_line(self.text, mark.index)
        found = Diagnostic(id_, message, self._make_place(mark), excerpt=line)
        self.diagnostics.append(found)

    def _make_place(self, mark: StringMark) -> Location:
        return Location(self.file, mark.line + 1, mark.column + 1)


MAX_MISTAKES = 100
TOO_DEEP_MESSAGE = (
    f"The document is more than {MAX_DEPTH} levels deep; nothing in the "
    "language is, so something was indented or bracketed by mistake."
)
TOO_MANY_MISTAKES_MESSAGE = (
    f"More than {MAX_MISTAKES} things are wrong in this file; what follows here "
    "was not read, "
    "and is told when these are mended."
)


class ParsedFile(NamedTuple):
    """A file's documents, what is wrong, and whether all of it was read."""

    documents: list[Document]
    diagnostics: list[Diagnostic]
    is_complete: bool


def parse_yaml(file: str, text: str) -> ParsedFile:
    """Parse fast, in C; slowly where something is wrong.

    The slow parser judges: it knows YAML 1.2 where the fast one knows 1.1. Where the
    fast one finds no fault, they read the same (a test compares them), but for tabs.
    """
    return ("\t" not in text and _parse_fast(file, text)) or _parse_in_python(
        file, text
    )


def _parse_fast(file: str, text: str) -> ParsedFile | None:
    composer = DocumentComposer(file, text, YAML(typ="safe").parse(text), most=0)
    try:
        return ParsedFile(list(composer.compose_documents()), [], is_complete=True)
    except (ParseAbortedError, MarkedYAMLError, ReaderError):
        return None


def _parse_in_python(file: str, text: str) -> ParsedFile:
    events = YAML(typ="safe", pure=True).parse(text)
    composer = DocumentComposer(file, text, events, most=MAX_MISTAKES)
    documents: list[Document] = []
    try:
        documents.extend(composer.compose_documents())
    except TooDeepError as error:
        fault = Diagnostic("too-deep", TOO_DEEP_MESSAGE, error.place)
    except TooManyMistakesError as error:
        fault = Diagnostic("more-mistakes", TOO_MANY_MISTAKES_MESSAGE, error.place)
    except MarkedYAMLError as error:
        fault = _make_syntax_diagnostic(file, text, error)
    except ReaderError as error:
        fault = _make_character_diagnostic(file, text, error)
    else:
        return ParsedFile(documents, composer.diagnostics, is_complete=True)
    return ParsedFile(documents, [*composer.diagnostics, fault], is_complete=False)


def _make_syntax_diagnostic(file: str, text: str, error: MarkedYAMLError) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    place = (
        Location(file, mark.line + 1, mark.column + 1) if mark else Location(file, 1, 1)
    )
    line = excerpt_line(text, mark.index) if mark else None
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


def _make_character_diagnostic(file: str, text: str, error: ReaderError) -> Diagnostic:
    before = text[: error.position]
    return Diagnostic(
        "yaml-syntax",
        f"The character U+{error.character:04X} can't be in YAML; remove it.",
        Location(file, before.count("\n") + 1, len(before) - before.rfind("\n")),
    )
