"""Diagnostics: mistakes in documents, as values with an id and a place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from cloudforest.base.values import escape_unprintable

DocumentPath = tuple[str | int, ...]


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, order=True)
class Location:
    """A place; `file` is relative to the tree, `line` and `column` start at 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Diagnostic:
    """One mistake. `id` is kebab-case and never changes; `message` is a sentence.

    `excerpt`: the line of the place; None if it is missing or may hold a secret.
    """

    id: str
    message: str
    location: Location
    severity: Severity = Severity.ERROR
    excerpt: str | None = None

    def __str__(self) -> str:
        return f"{self.location}: {self.severity}: {self.message} [{self.id}]"

    def to_printable(self) -> Diagnostic:
        """Return it with control characters and lone surrogates escaped.

        File names and values of documents may have both.
        """
        place = replace(self.location, file=escape_unprintable(self.location.file))
        return replace(self, message=escape_unprintable(self.message), location=place)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(each.severity is Severity.ERROR for each in diagnostics)
