"""One file's text to documents, or to where its YAML breaks off."""

from __future__ import annotations

from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from cloudforest.base.diagnostics import Diagnostic, Place
from cloudforest.compiler.document import Document
from cloudforest.compiler.excerpt import excerpt
from cloudforest.compiler.reading.compose import (
    DEPTH_LIMIT,
    Composer,
    GaveUpError,
    TooDeepError,
    TooWrongError,
)

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
