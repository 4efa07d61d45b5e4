"""A folder of documents to a registration, or to all that is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from cloudforest.base.diagnostics import Diagnostic, Location, has_errors
from cloudforest.compiler.document import Document, DocumentDiagnostic
from cloudforest.compiler.examples import check_examples
from cloudforest.compiler.files import read_tree
from cloudforest.compiler.programs import add_programs
from cloudforest.compiler.resolve import rebase_paths, resolve_registration
from cloudforest.compiler.rules.registry import run_rules, run_rules_on_parts
from cloudforest.compiler.schema_check import (
    check_schema,
    correct_keys,
    extract_valid_part,
)
from cloudforest.compiler.tree import DocumentTree, build_tree
from cloudforest.model.registration import Registration, SecretReference


@dataclass(frozen=True)
class Service:
    """Where the control plane is; `url` is None when it is embedded."""

    url: str | None = None
    token: SecretReference | None = None


@dataclass(frozen=True)
class CompiledTree:
    """What became of a tree. Without errors, `registration` and `service` are set.

    `diagnostics` are sorted by place; `files` and `documents` are how many were read.
    """

    folder: Path
    diagnostics: tuple[Diagnostic, ...]
    registration: Registration | None
    service: Service | None
    file_count: int
    document_count: int


def compile_tree(folder: Path) -> CompiledTree:
    """Read, check and compile the documents below `folder`; raise nothing for them."""
    reading = read_tree(folder)
    shapes = _check_documents(reading.documents)
    tree = build_tree(
        shapes.valid, all_documents=shapes.corrected, is_complete=reading.is_complete
    )
    complaints = [*shapes.diagnostics, *run_rules(tree)]
    complaints.extend(run_rules_on_parts(tree, shapes.valid_parts))
    found = [*reading.diagnostics, *(each.to_diagnostic() for each in complaints)]
    found.extend(_find_missing_tenant(tree))
    if not has_errors(found):
        found.extend(each.to_diagnostic() for each in check_examples(tree))
    found = [each.to_printable() for each in found]
    failed = has_errors(found)
    return CompiledTree(
        folder=folder,
        diagnostics=tuple(sorted(found, key=lambda each: (each.location, each.id))),
        registration=None if failed else add_programs(resolve_registration(tree)),
        service=None if failed else _read_service(tree.documents_of("Tenant")[0]),
        file_count=reading.file_count,
        document_count=len(reading.documents),
    )


class _CheckedDocuments(NamedTuple):
    """Documents of the right shape, sound parts of others; all, as they were meant."""

    valid: list[Document]
    valid_parts: list[Document]
    corrected: list[Document]
    diagnostics: list[DocumentDiagnostic]


def _check_documents(documents: list[Document]) -> _CheckedDocuments:
    shapes = _CheckedDocuments([], [], [], [])
    for document in documents:
        wrong = check_schema(document) if document.is_complete else []
        shapes.diagnostics.extend(wrong)
        shapes.corrected.append(correct_keys(document) if wrong else document)
        if document.is_complete and not wrong:
            shapes.valid.append(document)
        elif wrong and (part := extract_valid_part(document)) is not None:
            shapes.valid_parts.append(part)
    return shapes


def _find_missing_tenant(tree: DocumentTree) -> list[Diagnostic]:
    if "Tenant" in tree.names or not tree.is_complete:
        return []
    message = (
        "The tree has no Tenant; add a document `kind: Tenant` with the name of "
        "your organisation."
    )
    return [Diagnostic("missing-tenant", message, Location(".", 1, 1))]


def _read_service(tenant: Document) -> Service:
    match tenant.content.get("service", "embedded"):
        case {"url": str(url), "token": token}:
            reference = msgspec.convert(rebase_paths(token, tenant), SecretReference)
            return Service(url, reference)
        case _:
            return Service()
