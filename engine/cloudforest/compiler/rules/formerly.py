"""A former name belongs to one document, and to none that is still there."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import Tree

RENAMED = ("Target", "Agent", "Job")
"""The kinds that keep something under their names."""

_PATH = ("formerly",)


def former_names_are_free(tree: Tree) -> Iterator[Complaint]:
    for kind in RENAMED:
        claimed: dict[str, Document] = {}
        for each in (one for one in tree.of(kind) if "formerly" in one.content):
            name = each.content["formerly"]
            if name in tree.names[kind]:
                yield Complaint("formerly-in-use", _in_use(each, name), each, _PATH)
            elif name in claimed:
                message = _claimed(each, claimed[name], name)
                yield Complaint("formerly-claimed-twice", message, each, _PATH)
            claimed.setdefault(name, each)


def _in_use(document: Document, name: str) -> str:
    if name == document.name:
        return (
            f'"{name}" is the name that this {document.kind} has now; '
            "remove `formerly`, or write the name that it had before."
        )
    return (
        f'The {document.kind} "{name}" is still in this tree, so this one does not '
        "take its place; remove `formerly` here, or the other document."
    )


def _claimed(document: Document, first: Document, name: str) -> str:
    return (
        f'The {document.kind} "{name}" becomes "{first.name}" already, at '
        f"{first.places.place(_PATH)}; what is kept under the old name can go on under "
        "one new name only, so remove `formerly` from one of the two."
    )
