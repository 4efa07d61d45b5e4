"""A document as it was probably meant, so that more of it can be checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Complaint, Document

Renamed = Mapping[DocumentPath, str]


def renamed(document: Document, misspelt: Iterable[Complaint]) -> Document:
    """Return it with the keys that misspelt ones stand for; places stay what they are.

    Each of `misspelt` has a `meant`.
    """
    names = {each.path: str(each.meant) for each in misspelt}
    return _rewritten(document, names, frozenset())


def without(document: Document, wrong: Iterable[Complaint]) -> Document:
    """Return it without the parts that are wrong."""
    return _rewritten(document, {}, frozenset(each.path for each in wrong))


def _rewritten(
    document: Document, names: Renamed, left_out: frozenset[DocumentPath]
) -> Document:
    moved: dict[DocumentPath, DocumentPath] = {}

    def rewritten(node: Any, old: DocumentPath, new: DocumentPath) -> Any:
        moved[new] = old
        if isinstance(node, dict):
            kept = {
                names.get((*old, key), key): (key, each)
                for key, each in node.items()
                if (*old, key) not in left_out
            }
            return {
                name: rewritten(each, (*old, key), (*new, name))
                for name, (key, each) in kept.items()
            }
        if isinstance(node, list):
            kept_at = [at for at in range(len(node)) if (*old, at) not in left_out]
            return [
                rewritten(node[at], (*old, at), (*new, index))
                for index, at in enumerate(kept_at)
            ]
        return node

    content = rewritten(document.content, (), ())
    return Document(content, document.places.moved(moved), document.sound)
