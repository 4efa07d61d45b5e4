"""What is wrong with a document: a value with an id and a place, never an exception."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

DocumentPath = tuple[str | int, ...]


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, order=True)
class Place:
    """A place; `file` is relative to the tree, line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Diagnostic:
    """One complaint. `id` is kebab-case and never changes; `message` is a sentence.

    `excerpt` is the line of the place, None if there is none or it may hold a secret.
    """

    id: str
    message: str
    place: Place
    severity: Severity = Severity.ERROR
    excerpt: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.severity}: {self.message} [{self.id}]"


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(each.severity is Severity.ERROR for each in diagnostics)
