"""Parse YAML to documents that know the place of each key and value.

Plain scalars follow the core schema of YAML 1.2, without infinities.
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
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER_PATTERN = re.compile(r"[-+]?[0-9]{1,18}")
FLOAT_PATTERN = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
MAX_DEPTH = 32
_QUOTES = frozenset("'\"")
MAX_MISTAKES = 100


class ParseAbortedError(Exception):
    """Parsing stopped at a mistake; the rest of the file was not read."""

    def __init__(self, mistake: Diagnostic) -> None:
        super().__init__(str(mistake))
        self.mistake = mistake


def _make_range(event: Event) -> TextRange:
    start, end = event.start_mark, event.end_mark
    value = ""
    if isinstance(event, ScalarEvent) and event.style not in _QUOTES:
        value = str(event.value) if start.line < end.line else ""
    return TextRange(start.line + 1, start.column + 1, start.index, end.index, value)


def _make_place(file: str, mark: StringMark) -> Location:
    return Location(file, mark.line + 1, mark.column + 1)


class DocumentComposer:
    """Turn parser events into plain values, and remember their places.

    Reading events bounds the depth and never expands an alias.
    """

    def __init__(
        self, file: str, text: str, events: Iterator[Event], *, max_mistakes: int
    ) -> None:
        self.max_mistakes = max_mistakes
        self.file = file
        self.text = text
        self.events = events
        self.diagnostics: list[Diagnostic] = []
        self.keys: dict[DocumentPath, TextRange] = {}
        self.values: dict[DocumentPath, TextRange] = {}

    def compose_documents(self) -> Iterator[Document]:
        """Yield each document that is not empty; mistakes go to `diagnostics`."""
        for event in self.events:
            if not isinstance(event, DocumentStartEvent):
                continue
            self.keys, self.values = {}, {}
            before = len(self.diagnostics)
            first = next(self.events)
            content = self._compose_node(first, ())
            is_complete = len(self.diagnostics) == before
            if isinstance(content, dict):
                places = Locations(self.file, self.text, self.keys, self.values)
                yield Document(content, places, is_complete=is_complete)
            elif content is not None:
                self._report(
                    "not-a-document",
                    "A document must be a block of keys, not a list or a single "
                    "value. Begin it with `kind:` and `name:`.",
                    first.start_mark,
                )

    def _compose_node(self, event: Event, path: DocumentPath) -> Any:
        if len(path) > MAX_DEPTH:
            message = (
                f"The document is nested more than {MAX_DEPTH} levels deep, which the "
                "language never needs. Check its brackets and indentation."
            )
            place = _make_place(self.file, event.start_mark)
            raise ParseAbortedError(Diagnostic("too-deep", message, place))
        self.values[path] = _make_range(event)
        self._refuse_anchor_or_tag(event)
        match event:
            case ScalarEvent():
                is_plain = not event.style and event.implicit[0]
                return parse_scalar(event.value) if is_plain else event.value
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
                f'The anchor or alias "{event.anchor}" is not supported. Write the '
                "value in each place.",
                event.start_mark,
            )
        elif event.ctag is not None:
            tag = str(event.ctag).replace("tag:yaml.org,2002:", "!!")
            self._report(
                "yaml-tag",
                f'The tag "{tag}" is not supported. Remove it, and put '
                "text that looks like a number in quotes.",
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
            if key is not None and key not in content:
                self.keys[*path, key] = _make_range(event)
                content[key] = self._compose_node(next(self.events), (*path, key))
                continue
            if key is not None:
                self._report(
                    "duplicate-key",
                    f'The key "{key}" is already on line {self.keys[*path, key].line}. '
                    "Keep one of the two.",
                    event.start_mark,
                )
            self._compose_node(next(self.events), (*path, key or "", -1))
        return content

    def _compose_key(self, event: Event, path: DocumentPath) -> str | None:
        if isinstance(event, ScalarEvent):
            self._refuse_anchor_or_tag(event)
            return str(event.value)
        self._compose_node(event, (*path, "", -1))
        self._report(
            "yaml-syntax",
            "A key must be a word or text, not a list or a block. Put it in quotes.",
            event.start_mark,
        )
        return None

    def _report(self, id_: str, message: str, mark: StringMark) -> None:
        place = _make_place(self.file, mark)
        if len(self.diagnostics) == self.max_mistakes:
            message = (
                f"The file has more than {MAX_MISTAKES} mistakes, and was not read "
                f"from here on. Fix the first {MAX_MISTAKES}, then check it again."
            )
            raise ParseAbortedError(Diagnostic("more-mistakes", message, place))
        line = excerpt_line(self.text, mark.index)
        self.diagnostics.append(Diagnostic(id_, message, place, excerpt=line))


class ParsedFile(NamedTuple):
    """The documents and mistakes of a file; `is_complete` if all of it was read."""

    documents: list[Document]
    diagnostics: list[Diagnostic]
    is_complete: bool


def parse_scalar(text: str) -> PlainScalar:
    """Return the value of an unquoted scalar; `on`, `off` and `yes` are text."""
    if text in SCALAR_WORDS:
        return SCALAR_WORDS[text]
    if INTEGER_PATTERN.fullmatch(text):
        return int(text)
    if FLOAT_PATTERN.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _parse_fast(file: str, text: str) -> ParsedFile | None:
    events = YAML(typ="safe").parse(text)
    composer = DocumentComposer(file, text, events, max_mistakes=0)
    try:
        return ParsedFile(list(composer.compose_documents()), [], is_complete=True)
    except (ParseAbortedError, MarkedYAMLError, ReaderError):
        return None


def _make_syntax_diagnostic(file: str, text: str, error: MarkedYAMLError) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    place = _make_place(file, mark) if mark else Location(file, 1, 1)
    line = excerpt_line(text, mark.index) if mark else None
    problem = " ".join(str(error.problem or error.context).split())
    message = (
        f"Invalid YAML: {problem}. Check the quotes, colons and indentation here and "
        "on the line before."
    )
    if "'\\t'" in str(error.problem):
        message = (
            "YAML does not allow tabs in indentation or before a value. Use spaces."
        )
    return Diagnostic("yaml-syntax", message, place, excerpt=line)


def _parse_in_python(file: str, text: str) -> ParsedFile:
    events = YAML(typ="safe", pure=True).parse(text)
    composer = DocumentComposer(file, text, events, max_mistakes=MAX_MISTAKES)
    documents: list[Document] = []
    try:
        documents.extend(composer.compose_documents())
    except ParseAbortedError as error:
        last = error.mistake
    except MarkedYAMLError as error:
        last = _make_syntax_diagnostic(file, text, error)
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = (
            f"The character U+{error.character:04X} is not allowed in YAML. Remove it."
        )
        last = Diagnostic("yaml-syntax", message, Location(file, line, column))
    else:
        return ParsedFile(documents, composer.diagnostics, is_complete=True)
    return ParsedFile(documents, [*composer.diagnostics, last], is_complete=False)


def parse_yaml(file: str, text: str) -> ParsedFile:
    """Parse with the C parser, and again in Python where it finds a mistake.

    The Python parser decides, as it knows YAML 1.2 and the other one 1.1. Both read
    the same where the C parser finds no mistake (a test compares them), except tabs.
    """
    fast = None if "\t" in text else _parse_fast(file, text)
    return fast or _parse_in_python(file, text)
