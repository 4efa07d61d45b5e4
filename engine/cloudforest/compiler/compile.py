"""Compile a folder of documents to a registration, or to its diagnostics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from cloudforest.base.diagnostics import Diagnostic, Location, has_errors
from cloudforest.compiler.document import Document, Mistake
from cloudforest.compiler.examples import check_examples
from cloudforest.compiler.files import TreeReading, read_tree
from cloudforest.compiler.programs import add_programs
from cloudforest.compiler.resolve import rebase_paths, resolve_registration
from cloudforest.compiler.rules.registry import run_rules, run_rules_on_parts
from cloudforest.compiler.schema_check import check_schema, extract_valid_part
from cloudforest.compiler.tree import DocumentTree, build_tree
from cloudforest.model.registration import Registration, SecretReference


@dataclass(frozen=True)
class Service:
    """The address of the control plane; `url` is None when it is embedded."""

    url: str | None = None
    token: SecretReference | None = None


@dataclass(frozen=True)
class CompiledTree:
    """The result of a compilation. `registration` is None where the tree has errors.

    `service` is too. `diagnostics` are sorted by location.
    """

    folder: Path
    diagnostics: tuple[Diagnostic, ...]
    registration: Registration | None
    service: Service | None
    file_count: int
    document_count: int


def _check_documents(reading: TreeReading) -> tuple[DocumentTree, list[Mistake]]:
    """Return the tree of the valid documents, and the mistakes of all of them."""
    valid: list[Document] = []
    valid_parts: list[Document] = []
    corrected: list[Document] = []
    found: list[Mistake] = []
    for document in reading.documents:
        mistakes, fixed = (
            check_schema(document) if document.is_complete else ([], document)
        )
        found.extend(mistakes)
        corrected.append(fixed)
        if mistakes and (part := extract_valid_part(fixed)) is not None:
            valid_parts.append(part)
        elif document.is_complete and not mistakes:
            valid.append(document)
    tree = build_tree(valid, all_documents=corrected, is_complete=reading.is_complete)
    return tree, [*found, *run_rules(tree), *run_rules_on_parts(tree, valid_parts)]


def _read_service(tenant: Document) -> Service:
    match tenant.content.get("service", "embedded"):
        case {"url": str(url), "token": token}:
            reference = msgspec.convert(rebase_paths(token, tenant), SecretReference)
            return Service(url, reference)
        case _:
            return Service()


def compile_tree(folder: Path) -> CompiledTree:
    """Read, check and compile the documents below `folder`.

    Mistakes in the documents become diagnostics, never exceptions.
    """
    reading = read_tree(folder)
    tree, mistakes = _check_documents(reading)
    found = [*reading.diagnostics, *(each.to_diagnostic() for each in mistakes)]
    if tree.is_complete and "Tenant" not in tree.names:
        message = (
            "The tree has no Tenant. Add a document with `kind: Tenant` and the name "
            "of your organisation."
        )
        found.append(Diagnostic("missing-tenant", message, Location(".", 1, 1)))
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
