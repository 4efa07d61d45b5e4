"""The only place that knows the language's short forms."""

from __future__ import annotations

from typing import Any

from cloudforest.compiler.document import Document
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.resource import canonical_path

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def without_sugar(document: Document) -> Document:
    """Return the document with every short form written out; paths keep their names."""
    match document.content:
        case {"kind": "Mapping", "attributeMappings": dict(entries)}:
            full = {key: _entry(value) for key, value in entries.items()}
            return document.containing({**document.content, "attributeMappings": full})
        case {"kind": "Target", "extensions": dict(schemas)}:
            typed = {urn: _typed(each) for urn, each in schemas.items()}
            return document.containing({**document.content, "extensions": typed})
        case _:
            return document


def _entry(value: Any) -> Any:
    return {"source": value} if isinstance(value, str) else value


def _typed(attributes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"type": each} if isinstance(each, str) else each
        for name, each in attributes.items()
    }


def seconds(duration: str) -> int:
    """Return the seconds of `30s`, `2m`, `24h` or `7d`."""
    return int(duration[:-1]) * UNITS[duration[-1]]


def canonical(target: str) -> str:
    """Return the one spelling of a SCIM path; a wrong path is another rule's matter."""
    try:
        return canonical_path(target)
    except SyntaxFault:
        return target
