"""Values that are allowed in form but not in fact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.base.diagnostics import Severity
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import Tree, seconds
from cloudforest.compiler.wording import hint
from cloudforest.model.program import ValueType
from cloudforest.program.faults import SyntaxFault, ValueFault
from cloudforest.program.mapping.types import converted
from cloudforest.program.scim.path import parse_path

LEAST_INTERVAL = 30
UNMATCHABLE = frozenset({"binary", "dateTime", "reference"})


def intervals_are_long_enough(tree: Tree) -> Iterator[Complaint]:
    for job in tree.of("Job"):
        interval = job.content.get("interval")
        if interval is not None and seconds(interval) < LEAST_INTERVAL:
            message = (
                f'The interval "{interval}" is too short: directories and targets '
                f"need {LEAST_INTERVAL} s between cycles; write 30s or more."
            )
            yield Complaint("interval-too-short", message, job, ("interval",))


def tls_is_verified(tree: Tree) -> Iterator[Complaint]:
    for forest in tree.of("Forest"):
        for index, domain in enumerate(forest.content["domains"]):
            tls = domain["source"].get("activeDirectory", {}).get("tls", {})
            if tls.get("verify") == "off":
                message = (
                    f'Certificates of "{domain["name"]}" are not verified, so anybody '
                    "on the network can read the bind password; "
                    "name the authority in `ca:` instead."
                )
                path = ("domains", index, "source", "activeDirectory", "tls", "verify")
                yield Complaint(
                    "tls-verification-off", message, forest, path, Severity.WARNING
                )


def defaults_fit(tree: Tree) -> Iterator[Complaint]:
    """Every default value can be converted to the type of its target."""
    for mapping in tree.of("Mapping"):
        entries = mapping.content.get("attributeMappings", {})
        for target, entry in entries.items():
            default = entry.get("defaultValue") if isinstance(entry, dict) else None
            reason = _misfit(target, default)
            if reason is not None:
                message = f'The default value "{default}" does not fit "{target}": '
                path = ("attributeMappings", target, "defaultValue")
                yield Complaint("default-value", message + reason, mapping, path)


def extensions_are_readable(tree: Tree) -> Iterator[Complaint]:
    for target in tree.of("Target"):
        for urn, attributes in target.content.get("extensions", {}).items():
            for name in attributes:
                if _is_path(f"{urn}:{name}"):
                    continue
                message = (
                    f'"{urn}:{name}" is not a SCIM path; write a URN and, below it,'
                    " names like badge or office.floor."
                )
                path = ("extensions", urn, name)
                yield Complaint("path-syntax", message, target, path, at_key=True)


def mappings_fit_extensions(tree: Tree) -> Iterator[Complaint]:
    """Have declared what a mapping writes into a schema of its job's target."""
    seen: set[tuple[str, str]] = set()
    for job, target in _targets_of_jobs(tree):
        extensions = target.content.get("extensions", {})
        for mapping in _own_mappings(tree, job):
            if (mapping.name, target.name) not in seen:
                seen.add((mapping.name, target.name))
                for path, entry in mapping.content["attributeMappings"].items():
                    yield from _foreign(mapping, path, entry or {}, extensions)


def _is_path(text: str) -> bool:
    try:
        path = parse_path(text)
    except SyntaxFault:
        return False
    return path.is_foreign and path.key is None


def _targets_of_jobs(tree: Tree) -> Iterator[tuple[Document, Document]]:
    targets = {each.name: each for each in tree.of("Target")}
    for job in tree.of("Job"):
        names = [job.content["target"]] if "target" in job.content else list(targets)
        if len(names) == 1 and names[0] in targets:
            yield job, targets[names[0]]


def _own_mappings(tree: Tree, job: Document) -> Iterator[Document]:
    """Yield the tree's mappings that a job uses, and those that they extend."""
    own = {each.name for each in tree.of("Mapping")}
    for name in job.content["mappings"]:
        found = tree.mapping(name)
        for each in (tree.lineage(found) or ()) if found else ():
            if each.name in own and "attributeMappings" in each.content:
                yield each


def _foreign(
    mapping: Document, target: str, entry: dict[str, Any], extensions: dict[str, Any]
) -> Iterator[Complaint]:
    if not _is_readable(target):
        return
    path = parse_path(target)
    if path.schema is None or path.schema not in extensions:
        return
    known, where = extensions[path.schema], ("attributeMappings", target)
    if path.local not in known:
        message = (
            f'The target\'s schema {path.schema} has no attribute "{path.local}"; '
            + hint(path.local, known)
        )
        yield Complaint(
            "unknown-target-attribute", message, mapping, where, at_key=True
        )
        return
    yield from _unmatchable(mapping, target, entry, known[path.local])
    for key in ("defaultValue", "constant"):
        reason = _misfit(target, entry.get(key), known[path.local]["type"])
        if reason is not None:
            message = f'The value "{entry[key]}" does not fit "{target}": {reason}'
            yield Complaint("default-value", message, mapping, (*where, key))


def _unmatchable(
    mapping: Document, target: str, entry: dict[str, Any], declared: dict[str, Any]
) -> Iterator[Complaint]:
    """Refuse to look for what has several values, or several spellings of one."""
    several = declared.get("multiValued", False)
    if not entry.get("matchingPriority") or not (
        several or declared["type"] in UNMATCHABLE
    ):
        return
    what = "has several values" if several else f"is of type {declared['type']}"
    message = (
        f'"{target}" {what}, so no resource is found by it; match by an attribute with'
        " one text, number or truth value."
    )
    path = ("attributeMappings", target, "matchingPriority")
    yield Complaint("unmatchable-attribute", message, mapping, path)


def _is_readable(target: str) -> bool:
    try:
        parse_path(target)
    except SyntaxFault:
        return False
    return True


def _misfit(target: str, default: Any, type_: ValueType | None = None) -> str | None:
    """Say why a target can't take a default; a path that can't be read says so."""
    try:
        converted(target, default, type_)
    except ValueFault as fault:
        return fault.reason
    except SyntaxFault:
        return None
    return None
