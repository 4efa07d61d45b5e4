"""One file's text to documents, or to where its YAML breaks off."""

from __future__ import annotations

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from cloudforest.base.diagnostics import Diagnostic, Place
from cloudforest.compiler.document import Document
from cloudforest.compiler.reading.compose import DEPTH_LIMIT, Composer, TooDeepError


def parse(file: str, text: str) -> tuple[list[Document], list[Diagnostic], bool]:
    """Return a file's documents, what is wrong, and whether all of it was read."""
    composer = Composer(file, text, YAML(typ="safe", pure=True).parse(text))
    documents: list[Document] = []
    try:
        documents.extend(composer.documents())
    except TooDeepError as error:
        fault = _too_deep(file, error)
    except MarkedYAMLError as error:
        fault = _syntax(file, error)
    except ReaderError as error:
        fault = _unreadable_character(file, text, error)
    else:
        return documents, composer.diagnostics, True
    return documents, [*composer.diagnostics, fault], False


def _too_deep(file: str, error: TooDeepError) -> Diagnostic:
    return Diagnostic(
        "too-deep",
        f"The document is more than {DEPTH_LIMIT} levels deep; nothing in the "
        "language is, so something was indented or bracketed by mistake.",
        Place(file, error.mark.line + 1, error.mark.column + 1),
    )


def _syntax(file: str, error: MarkedYAMLError) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
    problem = " ".join(str(error.problem or error.context).split())
    return Diagnostic(
        "yaml-syntax",
        f"This is not YAML: {problem}; look at the quotes, colons and indentation "
        "here and on the line before.",
        place,
    )


def _unreadable_character(file: str, text: str, error: ReaderError) -> Diagnostic:
    before = text[: error.position]
    return Diagnostic(
        "yaml-syntax",
        f"The character U+{ord(str(error.character)):04X} can't be in YAML; remove it.",
        Place(file, before.count("\n") + 1, len(before) - before.rfind("\n")),
    )
