"""Check names: unique where they are declared, known where they are used.

A former name (`formerly`) belongs to one document only, and is no longer in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product
from pathlib import PurePath
from typing import get_args

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.base.files import find_shipped
from cloudforest.base.wording import quote_names, suggest_names
from cloudforest.compiler.document import Document, Mistakes
from cloudforest.compiler.tree import (
    MAX_ANCESTORS,
    DocumentTree,
    load_built_in_mappings,
)
from cloudforest.model.renames import DocumentKind

MAX_SUGGESTIONS = 50
"""Look-ups are slow, and more unknown names than this have one common cause."""

Reference = tuple[Document, DocumentPath, str, str]
"""A document, the path in it, the kind that it refers to, and the name."""
_REFERENCES = {
    "Job": {
        "domain": "domain",
        "scope": "Scope",
        "target": "Target",
        "mappings": "Mapping",
    },
    "Agent": {"domains": "domain"},
    "Target": {"profile": "profile"},
    "Mapping": {"extends": "Mapping"},
    "Example": {"mapping": "Mapping", "scope": "Scope"},
}
"""By kind of document: the keys that hold one name or a list of them."""


def _find_references(tree: DocumentTree) -> Iterator[Reference]:
    for source, keys in _REFERENCES.items():
        for document, (key, kind) in product(tree.documents_of(source), keys.items()):
            named: Iterable[tuple[DocumentPath, str]]
            match document.content.get(key):
                case list(names):
                    named = (((key, index), name) for index, name in enumerate(names))
                case None:
                    continue
                case name:
                    named = [((key,), name)]
            for path, name in named:
                yield document, path, kind, name.lower() if kind == "domain" else name


def _find_known_names(tree: DocumentTree, kind: str) -> frozenset[str]:
    if kind == "profile":
        return list_profiles()
    own = tree.names.get(kind, frozenset())
    return own | load_built_in_mappings().keys() if kind == "Mapping" else own


def _find_unknown_references(tree: DocumentTree) -> Iterator[Reference]:
    kinds = {kind for keys in _REFERENCES.values() for kind in keys.values()}
    known = {kind: _find_known_names(tree, kind) for kind in kinds}
    return (each for each in _find_references(tree) if each[3] not in known[each[2]])


def check_references(tree: DocumentTree) -> Mistakes:
    """Report unknown names, unless a document that may declare them was not read."""
    if not tree.is_complete:
        return
    for index, reference in enumerate(_find_unknown_references(tree)):
        document, path, kind, name = reference
        next_step = "Correct it, or declare it."
        if index < MAX_SUGGESTIONS:
            next_step = suggest_names(name, _find_known_names(tree, kind))
        message = f'Unknown {kind} "{name}". {next_step}'
        yield document.error("unknown-reference", message, *path)


def find_unresolved_kinds(tree: DocumentTree) -> set[tuple[str, str]]:
    """Return each kind that refers to an unknown name, with the kind referred to."""
    return {
        (document.kind, kind) for document, _, kind, _ in _find_unknown_references(tree)
    }


@cache
def list_profiles() -> frozenset[str]:
    folder = find_shipped("mappings") / "profiles"
    return frozenset(PurePath(each).stem for each in folder.glob("*.yaml"))


def check_job_targets(tree: DocumentTree) -> Mistakes:
    """Report jobs without `target`, unless the tree has exactly one Target."""
    targets = tree.names.get("Target", frozenset())
    if len(targets) == 1 or not tree.is_complete:
        return
    problem = (
        f"names no target, and the tree has {len(targets)}. Write `target:` with one "
        f"of: {quote_names(sorted(targets))}."
        if targets
        else "has no target. Add a document with `kind: Target`."
    )
    for job in tree.documents_of("Job"):
        if "target" not in job.content:
            message = f'The job "{job.name}" {problem}'
            yield job.error("missing-target", message, "name")


def check_single_tenant(tree: DocumentTree) -> Mistakes:
    """Report every Tenant after the first; `compile` reports a missing one."""
    tenants = [each for each in tree.documents if each.kind == "Tenant"]
    for each in tenants[1:]:
        first = tenants[0].locations.locate(())
        message = f"The tree already has a Tenant, at {first}. Keep one of the two."
        yield each.error("second-tenant", message, "name")


def check_unique_names(tree: DocumentTree) -> Mistakes:
    built_in = {("Mapping", name): "is built in" for name in load_built_in_mappings()}
    seen: dict[tuple[str, str], str] = dict(built_in)
    for each in (one for one in tree.documents if one.kind != "Tenant"):
        place = f"already exists at {each.locations.locate(('name',))}"
        if (where := seen.setdefault((each.kind, each.name), place)) != place:
            message = f'The {each.kind} "{each.name}" {where}. Rename this one.'
            yield each.error("duplicate-name", message, "name")


def check_domains_in_one_forest(tree: DocumentTree) -> Mistakes:
    seen: dict[str, str] = {}
    for forest in (each for each in tree.documents if each.kind == "Forest"):
        for index, domain in enumerate(forest.content["domains"]):
            name = domain["name"].lower()
            path = ("domains", index, "name")
            place = str(forest.locations.locate(path))
            if (first := seen.setdefault(name, place)) != place:
                message = (
                    f'The domain "{name}" is already at {first}. A domain belongs to '
                    "one forest: remove one of the two."
                )
                yield forest.error("domain-in-two-forests", message, *path)


def check_mapping_ancestry(tree: DocumentTree) -> Mistakes:
    for each in tree.documents_of("Mapping"):
        seen: set[str] = {each.name}
        parent = each.content.get("extends")
        while (
            parent is not None and parent not in seen and len(seen) <= MAX_ANCESTORS + 1
        ):
            seen.add(parent)
            found = tree.find_mapping(parent)
            parent = found.content.get("extends") if found else None
        if parent == each.name:
            message = (
                f'The mapping "{each.name}" extends itself, directly or through '
                "others. Remove one `extends` from the chain."
            )
            yield each.error("extends-itself", message, "extends")
        elif len(seen) - 1 > MAX_ANCESTORS:
            message = (
                f'The mapping "{each.name}" extends a chain of more than '
                f"{MAX_ANCESTORS} mappings. Extend one that is nearer to the start of "
                "the chain."
            )
            yield each.error("too-deep", message, "extends")


def check_former_names(tree: DocumentTree) -> Mistakes:
    for kind in get_args(DocumentKind):
        claimed: dict[str, Document] = {}
        for each in tree.documents_of(kind):
            if (name := each.content.get("formerly")) is None:
                continue
            if name == each.name:
                message = (
                    f'"{name}" is the current name of this {kind}. Write its previous '
                    "name in `formerly`, or remove `formerly`."
                )
                yield each.error("formerly-in-use", message, "formerly")
            elif name in tree.names[kind]:
                message = (
                    f'The {kind} "{name}" is still in the tree, so this one cannot '
                    "replace it. Remove `formerly` here, or remove the "
                    f'{kind} "{name}".'
                )
                yield each.error("formerly-in-use", message, "formerly")
            elif name in claimed:
                first = claimed[name]
                place = first.locations.locate(("formerly",))
                message = (
                    f'The {kind} "{first.name}" at {place} already takes over from '
                    f'"{name}". Only one document can take over a former name: remove '
                    "`formerly` from one of the two."
                )
                yield each.error("formerly-claimed-twice", message, "formerly")
            claimed.setdefault(name, each)
