"""Every name that a document uses is declared somewhere.

Names are unique where something refers to them.

A former name belongs to one document, and to none that is still there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import PurePath

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.base.files import shipped
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import LINE_LIMIT, Tree, built_in_mappings
from cloudforest.compiler.wording import hint, listed

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


NAMED = ("Target", "Forest", "Agent", "Scope", "Mapping", "Job", "Example")


def there_is_one_tenant(tree: Tree) -> Iterator[Complaint]:
    """Complain of every Tenant after the first; `compile` knows when there is none."""
    tenants = [each for each in tree.documents if each.kind == "Tenant"]
    for each in tenants[1:]:
        first = tenants[0].places.place(())
        message = f"The tree has a Tenant already, at {first}; keep one of the two."
        yield Complaint("second-tenant", message, each, ("name",))


def names_are_unique(tree: Tree) -> Iterator[Complaint]:
    for kind in NAMED:
        seen: dict[str, Document] = (
            dict(built_in_mappings()) if kind == "Mapping" else {}
        )
        for each in (one for one in tree.documents if one.kind == kind):
            if each.name in seen:
                yield _taken(each, seen[each.name])
            seen.setdefault(each.name, each)


def _taken(document: Document, first: Document) -> Complaint:
    built_in = first.name in built_in_mappings() and document.kind == "Mapping"
    where = "is built in" if built_in else f"is also at {first.places.place(('name',))}"
    message = (
        f'The {document.kind} "{document.name}" {where}; give this one another name.'
    )
    return Complaint("duplicate-name", message, document, ("name",))


def domains_are_in_one_forest(tree: Tree) -> Iterator[Complaint]:
    seen: dict[str, str] = {}
    for forest in (each for each in tree.documents if each.kind == "Forest"):
        for index, domain in enumerate(forest.content["domains"]):
            name = domain["name"].lower()
            path = ("domains", index, "name")
            place = forest.places.place(path)
            if name in seen:
                message = (
                    f'The domain "{name}" is also at {seen[name]}; '
                    "a domain belongs to one forest, so remove one of the two."
                )
                yield Complaint("domain-in-two-forests", message, forest, path)
            seen.setdefault(name, str(place))


def mappings_are_their_own_ancestors_never(tree: Tree) -> Iterator[Complaint]:
    for each in tree.of("Mapping"):
        seen = {each.name}
        parent = each.content.get("extends")
        while parent is not None and parent not in seen and len(seen) - 1 <= LINE_LIMIT:
            seen.add(parent)
            found = tree.mapping(parent)
            parent = found.content.get("extends") if found else None
        if parent == each.name:
            message = (
                f'The mapping "{each.name}" extends itself; '
                "let the first of the line extend a built-in mapping, or nothing."
            )
            yield Complaint("extends-itself", message, each, ("extends",))
        elif len(seen) - 1 > LINE_LIMIT:
            message = (
                f'The mapping "{each.name}" extends a line of more than {LINE_LIMIT} '
                "others; let it extend one of the first."
            )
            yield Complaint("too-deep", message, each, ("extends",))


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
