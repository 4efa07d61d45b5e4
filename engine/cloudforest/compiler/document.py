"""A document, and a complaint about it that is placed afterwards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cloudforest.base.diagnostics import Diagnostic, DocumentPath, Severity
from cloudforest.compiler.places import Places


@dataclass(frozen=True)
class Document:
    """One document; `sound` is false when a part of it could not be read."""

    content: dict[str, Any]
    places: Places
    sound: bool = True

    @property
    def kind(self) -> str:
        return str(self.content.get("kind"))

    @property
    def name(self) -> str:
        return str(self.content.get("name"))

    @property
    def file(self) -> str:
        return self.places.file

    def containing(self, content: dict[str, Any]) -> Document:
        return replace(self, content=content)


@dataclass(frozen=True)
class Complaint:
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
    hidden: bool = False
    meant: str | None = None

    def placed(self) -> Diagnostic:
        places = self.document.places
        place = places.place(self.path, at_key=self.at_key, offset=self.offset)
        line = places.excerpt(self.path, at_key=self.at_key, offset=self.offset)
        line = None if self.hidden else line
        return Diagnostic(self.id, self.message, place, self.severity, line)
