"""Every name that a document uses is declared somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import PurePath

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.shipped import shipped
from cloudforest.compiler.suggest import hint, listed
from cloudforest.compiler.tree import Tree, built_in_mappings

REFERRED = ("domain", "Scope", "Target", "Mapping", "profile")
HINTS = 50
"""Unknown names that are looked up; with more, one mistake is behind them all."""

Reference = tuple[Document, DocumentPath, str, str]
"""A document, where in it, the kind referred to, and the name as it is compared."""


def references_resolve(tree: Tree) -> Iterator[Complaint]:
    """Complain of unknown names; not when what may declare them was not read."""
    if not tree.complete:
        return
    for told, (document, path, kind, name) in enumerate(_unknown(tree)):
        next_step = "correct it, or declare it."
        if told < HINTS:
            next_step = hint(name, _known(tree, kind))
        message = f'There is no {kind} "{name}" in this tree; {next_step}'
        yield Complaint("unknown-reference", message, document, path)


def unresolved(tree: Tree) -> set[tuple[str, str]]:
    """Return which kinds refer to which in vain: what they mean may be any of them."""
    return {(document.kind, kind) for document, _, kind, _ in _unknown(tree)}


def _unknown(tree: Tree) -> Iterator[Reference]:
    known = {kind: _known(tree, kind) for kind in REFERRED}
    return (each for each in _references(tree) if each[3] not in known[each[2]])


def _references_of_jobs(tree: Tree) -> Iterator[Reference]:
    for job in tree.of("Job"):
        yield job, ("domain",), "domain", job.content["domain"].lower()
        yield job, ("scope",), "Scope", job.content["scope"]
        if "target" in job.content:
            yield job, ("target",), "Target", job.content["target"]
        for index, name in enumerate(job.content["mappings"]):
            yield job, ("mappings", index), "Mapping", name


def _references_of_examples(tree: Tree) -> Iterator[Reference]:
    for example in tree.of("Example"):
        yield example, ("mapping",), "Mapping", example.content["mapping"]
        if "scope" in example.content:
            yield example, ("scope",), "Scope", example.content["scope"]


def _references(tree: Tree) -> Iterator[Reference]:
    yield from _references_of_jobs(tree)
    for agent in tree.of("Agent"):
        for index, name in enumerate(agent.content["domains"]):
            yield agent, ("domains", index), "domain", name.lower()
    for target in tree.of("Target"):
        if "profile" in target.content:
            yield target, ("profile",), "profile", target.content["profile"]
    for mapping in tree.of("Mapping"):
        if "extends" in mapping.content:
            yield mapping, ("extends",), "Mapping", mapping.content["extends"]
    yield from _references_of_examples(tree)


def _known(tree: Tree, kind: str) -> frozenset[str]:
    own = tree.names.get(kind, frozenset())
    match kind:
        case "Mapping":
            return own | built_in_mappings().keys()
        case "profile":
            return profile_names()
        case _:
            return own


@cache
def profile_names() -> frozenset[str]:
    folder = shipped("mappings") / "profiles"
    return frozenset(PurePath(each).stem for each in folder.glob("*.yaml"))


def jobs_have_a_target(tree: Tree) -> Iterator[Complaint]:
    """Complain of jobs without a target, unless there is exactly one to take."""
    targets = tree.names.get("Target", frozenset())
    if len(targets) == 1 or not tree.complete:
        return
    next_step = (
        f"the tree has {len(targets)}, so write `target:` with one of "
        f"{listed(sorted(targets))}."
        if targets
        else "the tree has none, so declare a document of kind Target."
    )
    for job in tree.of("Job"):
        if "target" not in job.content:
            message = f'The job "{job.name}" needs a target: {next_step}'
            yield Complaint("missing-target", message, job, ("name",))
