"""A folder of documents to a registration, or to all that is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from cloudforest.base.diagnostics import Diagnostic, Place, has_errors
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.examples import examples_hold
from cloudforest.compiler.files import read_tree
from cloudforest.compiler.programs import with_programs
from cloudforest.compiler.resolve import rebased, resolve
from cloudforest.compiler.rules.registry import broken_in_parts, broken_rules
from cloudforest.compiler.schema_check import as_meant, check, sound_part
from cloudforest.compiler.tree import Tree, plant
from cloudforest.model.registration import Registration, SecretReference


@dataclass(frozen=True)
class Service:
    """Where the control plane is; `url` is None when it is embedded."""

    url: str | None = None
    token: SecretReference | None = None


@dataclass(frozen=True)
class Compiled:
    """What became of a tree. Without errors, `registration` and `service` are set.

    `diagnostics` are sorted by place; `files` and `documents` are how many were read.
    """

    folder: Path
    diagnostics: tuple[Diagnostic, ...]
    registration: Registration | None
    service: Service | None
    files: int
    documents: int


def compile_tree(folder: Path) -> Compiled:
    """Read, check and compile the documents below `folder`; raise nothing for them."""
    reading = read_tree(folder)
    shapes = _check(reading.documents)
    tree = plant(shapes.right, read=shapes.read, complete=reading.complete)
    complaints = [*shapes.complaints, *broken_rules(tree)]
    complaints.extend(broken_in_parts(tree, shapes.parts))
    found = [*reading.diagnostics, *(each.placed() for each in complaints)]
    found.extend(_missing_tenant(tree))
    if not has_errors(found):
        found.extend(each.placed() for each in examples_hold(tree))
    found = [each.printable() for each in found]
    failed = has_errors(found)
    return Compiled(
        folder=folder,
        diagnostics=tuple(sorted(found, key=lambda each: (each.place, each.id))),
        registration=None if failed else with_programs(resolve(tree)),
        service=None if failed else _service(tree.of("Tenant")[0]),
        files=reading.files,
        documents=len(reading.documents),
    )


class _Shapes(NamedTuple):
    """Documents of the right shape, sound parts of others; all, as they were meant."""

    right: list[Document]
    parts: list[Document]
    read: list[Document]
    complaints: list[Complaint]


def _check(documents: list[Document]) -> _Shapes:
    shapes = _Shapes([], [], [], [])
    for document in documents:
        wrong = check(document) if document.sound else []
        shapes.complaints.extend(wrong)
        shapes.read.append(as_meant(document) if wrong else document)
        if document.sound and not wrong:
            shapes.right.append(document)
        elif wrong and (part := sound_part(document)) is not None:
            shapes.parts.append(part)
    return shapes


def _missing_tenant(tree: Tree) -> list[Diagnostic]:
    if "Tenant" in tree.names or not tree.complete:
        return []
    message = (
        "The tree has no Tenant; add a document `kind: Tenant` with the name of "
        "your organisation."
    )
    return [Diagnostic("missing-tenant", message, Place(".", 1, 1))]


def _service(tenant: Document) -> Service:
    match tenant.content.get("service", "embedded"):
        case {"url": str(url), "token": token}:
            reference = msgspec.convert(rebased(token, tenant), SecretReference)
            return Service(url, reference)
        case _:
            return Service()
