"""The documents of a tree by kind and name, with short forms written out.

No other module knows the short forms of the language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import chain
from typing import Any

from cloudforest.base.files import find_shipped
from cloudforest.compiler.document import Content, Document, Mistake
from cloudforest.compiler.files import TreeReading, read_file
from cloudforest.compiler.schemas import DOCUMENT_KINDS
from cloudforest.model.program import Expression
from cloudforest.program.expressions.syntax import parse_expression_or_none
from cloudforest.program.scim.path import ScimPath, parse_path_or_none

DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_ANCESTORS = 32
"""Longest chain of `extends`: a reviewer must follow all of it."""


@dataclass(frozen=True)
class MappingEntry:
    """An entry of `attributeMappings`; without fields, it removes an inherited one."""

    mapping: Document
    target: str
    fields: Content

    @cached_property
    def path(self) -> ScimPath | None:
        """The target attribute; None where the syntax is wrong."""
        return parse_path_or_none(self.target)

    @cached_property
    def expression(self) -> Expression | None:
        """The source; None where it has none, or the syntax is wrong."""
        return parse_expression_or_none(self.fields.get("source", ""))

    def error(self, id_: str, message: str, *key: str, **where: Any) -> Mistake:
        path = ("attributeMappings", self.target, *key)
        return self.mapping.error(id_, message, *path, **where)


@dataclass(frozen=True)
class DocumentTree:
    """Documents of the right shape, and the names of all documents that were read.

    `is_complete`: every file was read, and every document has a known kind and a name.
    `is_well_formed`: also, every document has the right shape; only then can a rule
    conclude that something is missing.
    """

    documents: tuple[Document, ...]
    names: dict[str, frozenset[str]]
    is_complete: bool
    is_well_formed: bool

    @cached_property
    def _by_kind(self) -> dict[str, list[Document]]:
        kinds: dict[str, list[Document]] = {}
        for each in sorted(self.documents, key=lambda each: each.name):
            kinds.setdefault(each.kind, []).append(each)
        return kinds

    @cached_property
    def _mappings_by_name(self) -> dict[str, Document]:
        own = {each.name: each for each in self.documents_of("Mapping")}
        return load_built_in_mappings() | own

    def documents_of(self, kind: str) -> list[Document]:
        """Return the documents of a kind, sorted by name."""
        return self._by_kind.get(kind, [])

    @cached_property
    def entries(self) -> list[MappingEntry]:
        """The own entries of each mapping."""
        return [
            MappingEntry(mapping, target, fields or {})
            for mapping in self.documents_of("Mapping")
            for target, fields in mapping.content.get("attributeMappings", {}).items()
        ]

    def list_filters(self) -> Iterator[tuple[Document, str, str]]:
        """Yield each filter: the scope, the object type, the text."""
        for scope in self.documents_of("Scope"):
            for kind, text in scope.content.get("filters", {}).items():
                yield scope, kind, text

    def list_job_mappings(self, job: Document) -> Iterator[tuple[int, str, Content]]:
        """Yield index, name and merged content of each known mapping of a job."""
        for index, name in enumerate(job.content["mappings"]):
            document = self.find_mapping(name)
            content = self.merge_inherited(document) if document else None
            if content is not None:
                yield index, name, content

    def find_target_name(self, job: Document) -> str | None:
        """Return the target of a job; None if it names none, and there are several."""
        names = [each.name for each in self.documents_of("Target")]
        written: str | None = job.content.get("target")
        return names[0] if written is None and len(names) == 1 else written

    def find_mapping(self, name: str) -> Document | None:
        """Return the mapping `name`, of this tree or built in."""
        return self._mappings_by_name.get(name)

    def find_lineage(self, document: Document) -> list[Document] | None:
        """Return a mapping and those it extends, the most distant ancestor first.

        None if an ancestor is unknown, if the mapping extends itself, or if the chain
        is too long.
        """
        line = [document]
        while (parent := line[0].content.get("extends")) is not None:
            found = self.find_mapping(parent)
            if found is None or len(line) > MAX_ANCESTORS:
                return None
            line.insert(0, found)
        return line

    def merge_inherited(self, document: Document) -> Content | None:
        """Return a mapping's content with what it inherits; None without a lineage."""
        line = self.find_lineage(document)
        if line is None:
            return None
        content: Content = {}
        entries: Content = {}
        deprovision: Content = {}
        for each in line:
            for target, entry in each.content.get("attributeMappings", {}).items():
                if entry is None:
                    entries.pop(canonical_target(target), None)
                else:
                    entries[canonical_target(target)] = entry
            deprovision |= each.content.get("deprovision", {})
            content |= each.content
        return {**content, "attributeMappings": entries, "deprovision": deprovision}


def expand_short_forms(document: Document) -> Document:
    """Return the document with every short form written out; SCIM paths stay."""
    match document.content:
        case {"kind": "Mapping", "attributeMappings": dict(entries)}:
            expanded = {
                key: {"source": each} if isinstance(each, str) else each
                for key, each in entries.items()
            }
            content = {**document.content, "attributeMappings": expanded}
        case {"kind": "Target", "extensions": dict(schemas)}:
            typed = {
                urn: {
                    name: {"type": each} if isinstance(each, str) else each
                    for name, each in attributes.items()
                }
                for urn, attributes in schemas.items()
            }
            content = {**document.content, "extensions": typed}
        case _:
            return document
    return replace(document, content=content)


def parse_duration(duration: str) -> int:
    """Return the seconds of `30s`, `2m`, `24h` or `7d`."""
    return int(duration[:-1]) * DURATION_UNITS[duration[-1]]


def canonical_target(target: str) -> str:
    """Return the canonical spelling of a SCIM path; an invalid path unchanged."""
    path = parse_path_or_none(target)
    return target if path is None else str(path)


def _declared_names(document: Document) -> Iterator[tuple[str, Any]]:
    """Yield the kind and the name of each noun; None for an unreadable name."""
    yield document.kind, document.content.get("name")
    if document.kind == "Forest":
        domains = document.content.get("domains")
        for each in domains if isinstance(domains, list) else [None]:
            yield "domain", each.get("name") if isinstance(each, dict) else None


def build_tree(
    documents: Iterable[Document],
    *,
    all_documents: Sequence[Document],
    is_complete: bool,
) -> DocumentTree:
    """Build a tree; `documents` are those of `all_documents` with the right shape."""
    expanded = tuple(map(expand_short_forms, documents))
    is_complete &= all(each.kind in DOCUMENT_KINDS for each in all_documents)
    names: dict[str, set[str]] = {}
    for kind, name in chain.from_iterable(map(_declared_names, all_documents)):
        is_complete &= isinstance(name, str)
        known = names.setdefault(kind, set())
        known.add(str(name).lower() if kind == "domain" else str(name))
    return DocumentTree(
        expanded,
        {kind: frozenset(each) for kind, each in names.items()},
        is_complete=is_complete,
        is_well_formed=is_complete and len(expanded) == len(all_documents),
    )


@cache
def load_built_in_mappings() -> dict[str, Document]:
    """Return the mappings that ship with the package, by name."""
    reading = TreeReading()
    for path in sorted(find_shipped("mappings").glob("*.yaml")):
        read_file(path, f"mappings/{path.name}", reading)
    return {each.name: expand_short_forms(each) for each in reading.documents}
