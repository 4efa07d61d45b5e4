"""Every name that a document uses is declared somewhere.

Names are unique where something refers to them.

A former name belongs to one document, and to none that is still there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import PurePath

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.base.files import find_shipped
from cloudforest.compiler.document import Document, DocumentDiagnostic
from cloudforest.compiler.tree import (
    MAX_ANCESTORS,
    DocumentTree,
    load_built_in_mappings,
)
from cloudforest.compiler.wording import quote_names, suggest_names

REFERENCED_KINDS = ("domain", "Scope", "Target", "Mapping", "profile")
MAX_SUGGESTIONS = 50
"""Unknown names that are looked up; with more, one mistake is behind them all."""

Reference = tuple[Document, DocumentPath, str, str]
"""A document, where in it, the kind referred to, and the name as it is compared."""


def check_references(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    """Complain of unknown names; not when what may declare them was not read."""
    if not tree.is_complete:
        return
    for told, (document, path, kind, name) in enumerate(_find_unknown_references(tree)):
        next_step = "correct it, or declare it."
        if told < MAX_SUGGESTIONS:
            next_step = suggest_names(name, _find_known_names(tree, kind))
        message = f'There is no {kind} "{name}" in this tree; {next_step}'
        yield DocumentDiagnostic("unknown-reference", message, document, path)


def find_unresolved_kinds(tree: DocumentTree) -> set[tuple[str, str]]:
    """Return which kinds refer to which in vain: what they mean may be any of them."""
    return {
        (document.kind, kind) for document, _, kind, _ in _find_unknown_references(tree)
    }


def _find_unknown_references(tree: DocumentTree) -> Iterator[Reference]:
    known = {kind: _find_known_names(tree, kind) for kind in REFERENCED_KINDS}
    return (each for each in _find_references(tree) if each[3] not in known[each[2]])


def _find_job_references(tree: DocumentTree) -> Iterator[Reference]:
    for job in tree.documents_of("Job"):
        yield job, ("domain",), "domain", job.content["domain"].lower()
        yield job, ("scope",), "Scope", job.content["scope"]
        if "target" in job.content:
            yield job, ("target",), "Target", job.content["target"]
        for index, name in enumerate(job.content["mappings"]):
            yield job, ("mappings", index), "Mapping", name


def _find_example_references(tree: DocumentTree) -> Iterator[Reference]:
    for example in tree.documents_of("Example"):
        yield example, ("mapping",), "Mapping", example.content["mapping"]
        if "scope" in example.content:
            yield example, ("scope",), "Scope", example.content["scope"]


def _find_references(tree: DocumentTree) -> Iterator[Reference]:
    yield from _find_job_references(tree)
    for agent in tree.documents_of("Agent"):
        for index, name in enumerate(agent.content["domains"]):
            yield agent, ("domains", index), "domain", name.lower()
    for target in tree.documents_of("Target"):
        if "profile" in target.content:
            yield target, ("profile",), "profile", target.content["profile"]
    for mapping in tree.documents_of("Mapping"):
        if "extends" in mapping.content:
            yield mapping, ("extends",), "Mapping", mapping.content["extends"]
    yield from _find_example_references(tree)


def _find_known_names(tree: DocumentTree, kind: str) -> frozenset[str]:
    own = tree.names.get(kind, frozenset())
    match kind:
        case "Mapping":
            return own | load_built_in_mappings().keys()
        case "profile":
            return list_profiles()
        case _:
            return own


@cache
def list_profiles() -> frozenset[str]:
    folder = find_shipped("mappings") / "profiles"
    return frozenset(PurePath(each).stem for each in folder.glob("*.yaml"))


def check_job_targets(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    """Complain of jobs without a target, unless there is exactly one to take."""
    targets = tree.names.get("Target", frozenset())
    if len(targets) == 1 or not tree.is_complete:
        return
    next_step = (
        f"the tree has {len(targets)}, so write `target:` with one of "
        f"{quote_names(sorted(targets))}."
        if targets
        else "the tree has none, so declare a document of kind Target."
    )
    for job in tree.documents_of("Job"):
        if "target" not in job.content:
            message = f'The job "{job.name}" needs a target: {next_step}'
            yield DocumentDiagnostic("missing-target", message, job, ("name",))


NAMED_KINDS = ("Target", "Forest", "Agent", "Scope", "Mapping", "Job", "Example")


def check_single_tenant(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    """Complain of every Tenant after the first; `compile` knows when there is none."""
    tenants = [each for each in tree.documents if each.kind == "Tenant"]
    for each in tenants[1:]:
        first = tenants[0].locations.locate(())
        message = f"The tree has a Tenant already, at {first}; keep one of the two."
        yield DocumentDiagnostic("second-tenant", message, each, ("name",))


def check_unique_names(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    for kind in NAMED_KINDS:
        seen: dict[str, Document] = (
            dict(load_built_in_mappings()) if kind == "Mapping" else {}
        )
        for each in (one for one in tree.documents if one.kind == kind):
            if each.name in seen:
                yield _make_duplicate_name(each, seen[each.name])
            seen.setdefault(each.name, each)


def _make_duplicate_name(document: Document, first: Document) -> DocumentDiagnostic:
    built_in = first.name in load_built_in_mappings() and document.kind == "Mapping"
    where = (
        "is built in" if built_in else f"is also at {first.locations.locate(('name',))}"
    )
    message = (
        f'The {document.kind} "{document.name}" {where}; give this one another name.'
    )
    return DocumentDiagnostic("duplicate-name", message, document, ("name",))


def check_domains_in_one_forest(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    seen: dict[str, str] = {}
    for forest in (each for each in tree.documents if each.kind == "Forest"):
        for index, domain in enumerate(forest.content["domains"]):
            name = domain["name"].lower()
            path = ("domains", index, "name")
            place = forest.locations.locate(path)
            if name in seen:
                message = (
                    f'The domain "{name}" is also at {seen[name]}; '
                    "a domain belongs to one forest, so remove one of the two."
                )
                yield DocumentDiagnostic("domain-in-two-forests", message, forest, path)
            seen.setdefault(name, str(place))


def check_mapping_ancestry(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    for each in tree.documents_of("Mapping"):
        seen = {each.name}
        parent = each.content.get("extends")
        while (
            parent is not None and parent not in seen and len(seen) - 1 <= MAX_ANCESTORS
        ):
            seen.add(parent)
            found = tree.find_mapping(parent)
            parent = found.content.get("extends") if found else None
        if parent == each.name:
            message = (
                f'The mapping "{each.name}" extends itself; '
                "let the first of the line extend a built-in mapping, or nothing."
            )
            yield DocumentDiagnostic("extends-itself", message, each, ("extends",))
        elif len(seen) - 1 > MAX_ANCESTORS:
            message = (
                f'The mapping "{each.name}" extends a line of more than '
                f"{MAX_ANCESTORS} "
                "others; let it extend one of the first."
            )
            yield DocumentDiagnostic("too-deep", message, each, ("extends",))


RENAMEABLE_KINDS = ("Target", "Agent", "Job")
"""The kinds that keep something under their names."""

_FORMERLY_PATH = ("formerly",)


def check_former_names(tree: DocumentTree) -> Iterator[DocumentDiagnostic]:
    for kind in RENAMEABLE_KINDS:
        claimed: dict[str, Document] = {}
        for each in (
            one for one in tree.documents_of(kind) if "formerly" in one.content
        ):
            name = each.content["formerly"]
            if name in tree.names[kind]:
                yield DocumentDiagnostic(
                    "formerly-in-use",
                    _describe_name_in_use(each, name),
                    each,
                    _FORMERLY_PATH,
                )
            elif name in claimed:
                message = _describe_claimed_name(each, claimed[name], name)
                yield DocumentDiagnostic(
                    "formerly-claimed-twice", message, each, _FORMERLY_PATH
                )
            claimed.setdefault(name, each)


def _describe_name_in_use(document: Document, name: str) -> str:
    if name == document.name:
        return (
            f'"{name}" is the name that this {document.kind} has now; '
            "remove `formerly`, or write the name that it had before."
        )
    return (
        f'The {document.kind} "{name}" is still in this tree, so this one does not '
        "take its place; remove `formerly` here, or the other document."
    )


def _describe_claimed_name(document: Document, first: Document, name: str) -> str:
    return (
        f'The {document.kind} "{name}" becomes "{first.name}" already, at '
        f"{first.locations.locate(_FORMERLY_PATH)}; what is kept under the old "
        "name can go on under "
        "one new name only, so remove `formerly` from one of the two."
    )
