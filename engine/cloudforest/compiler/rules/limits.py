"""Check values that have the right form but are out of range or do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.base.wording import suggest_names
from cloudforest.compiler.document import Document, Mistakes
from cloudforest.compiler.rules.flow import make_unmatchable
from cloudforest.compiler.tree import DocumentTree, parse_duration
from cloudforest.model.program import ValueType
from cloudforest.program.faults import SyntaxFault, ValueFault
from cloudforest.program.mapping.types import convert_value
from cloudforest.program.scim.path import parse_path_or_none

MIN_INTERVAL_SECONDS = 30
UNMATCHABLE_TYPES = frozenset({"binary", "dateTime", "reference"})


def check_intervals(tree: DocumentTree) -> Mistakes:
    for job in tree.documents_of("Job"):
        interval = job.content.get("interval")
        if interval is not None and parse_duration(interval) < MIN_INTERVAL_SECONDS:
            message = (
                f'The interval "{interval}" is too short. Directories and targets need '
                f"{MIN_INTERVAL_SECONDS} s between cycles: write `30s` or more."
            )
            yield job.error("interval-too-short", message, "interval")


def check_tls_verification(tree: DocumentTree) -> Mistakes:
    for forest in tree.documents_of("Forest"):
        for index, domain in enumerate(forest.content["domains"]):
            tls = domain["source"].get("activeDirectory", {}).get("tls", {})
            if tls.get("verify") == "off":
                message = (
                    f'The certificates of "{domain["name"]}" are not verified, so '
                    "anybody on the network can read the bind password. Name the "
                    "authority in `ca:` instead."
                )
                yield forest.warning(
                    "tls-verification-off",
                    message,
                    "domains",
                    index,
                    "source",
                    "activeDirectory",
                    "tls",
                    "verify",
                )


def _find_misfit_reason(
    target: str, value: Any, type_: ValueType | None = None
) -> str | None:
    """Return why a target cannot take a value; None if it can, or for a wrong path."""
    try:
        convert_value(target, value, type_)
    except ValueFault as fault:
        return fault.reason
    except SyntaxFault:
        return None
    return None


def check_default_values(tree: DocumentTree) -> Mistakes:
    """Report default values that do not convert to the type of their target."""
    for mapping, target, entry in tree.list_attribute_mappings():
        default = (entry or {}).get("defaultValue")
        reason = _find_misfit_reason(target, default)
        if reason is not None:
            message = f'The default value "{default}" does not fit "{target}". {reason}'
            yield mapping.error(
                "default-value", message, "attributeMappings", target, "defaultValue"
            )


def _is_extension_path(text: str) -> bool:
    path = parse_path_or_none(text)
    return path is not None and path.is_custom_extension and path.key is None


def check_extension_paths(tree: DocumentTree) -> Mistakes:
    for target in tree.documents_of("Target"):
        for urn, attributes in target.content.get("extensions", {}).items():
            for name in attributes:
                if _is_extension_path(f"{urn}:{name}"):
                    continue
                message = (
                    f'"{urn}:{name}" is not a SCIM path. Write a URN and, below it, '
                    "names like `badge` or `office.floor`."
                )
                yield target.error(
                    "path-syntax", message, "extensions", urn, name, at_key=True
                )


def _pair_jobs_with_targets(tree: DocumentTree) -> Iterator[tuple[Document, Document]]:
    targets = {each.name: each for each in tree.documents_of("Target")}
    for job in tree.documents_of("Job"):
        names = [job.content["target"]] if "target" in job.content else list(targets)
        if len(names) == 1 and names[0] in targets:
            yield job, targets[names[0]]


def _find_own_mappings(tree: DocumentTree, job: Document) -> Iterator[Document]:
    """Yield the mappings that a job uses or inherits from, except built-in ones."""
    own = {each.name for each in tree.documents_of("Mapping")}
    for name in job.content["mappings"]:
        found = tree.find_mapping(name)
        for each in (tree.find_lineage(found) or ()) if found else ():
            if each.name in own and "attributeMappings" in each.content:
                yield each


def _check_matching_type(
    mapping: Document, target: str, entry: dict[str, Any], declared: dict[str, Any]
) -> Mistakes:
    """Refuse to match by several values, or by values with several spellings."""
    several = declared.get("multiValued", False)
    if not entry.get("matchingPriority") or not (
        several or declared["type"] in UNMATCHABLE_TYPES
    ):
        return
    why = "has several values" if several else f"has the type {declared['type']}"
    yield make_unmatchable(mapping, target, why)


def _check_extension_attribute(
    mapping: Document, target: str, entry: dict[str, Any], extensions: dict[str, Any]
) -> Mistakes:
    path = parse_path_or_none(target)
    if path is None or path.schema is None or path.schema not in extensions:
        return
    known, where = extensions[path.schema], ("attributeMappings", target)
    if path.name_in_schema not in known:
        message = (
            f"The target's schema {path.schema} has no attribute "
            f'"{path.name_in_schema}". {suggest_names(path.name_in_schema, known)}'
        )
        yield mapping.error("unknown-target-attribute", message, *where, at_key=True)
        return
    yield from _check_matching_type(mapping, target, entry, known[path.name_in_schema])
    for key in ("defaultValue", "constant"):
        reason = _find_misfit_reason(
            target, entry.get(key), known[path.name_in_schema]["type"]
        )
        if reason is not None:
            message = f'The value "{entry[key]}" does not fit "{target}". {reason}'
            yield mapping.error("default-value", message, *where, key)


def check_extension_attributes(tree: DocumentTree) -> Mistakes:
    """Report attributes that the extensions of a job's target do not declare."""
    seen: set[tuple[str, str]] = set()
    for job, target in _pair_jobs_with_targets(tree):
        extensions = target.content.get("extensions", {})
        for mapping in _find_own_mappings(tree, job):
            if (mapping.name, target.name) not in seen:
                seen.add((mapping.name, target.name))
                for path, entry in mapping.content["attributeMappings"].items():
                    yield from _check_extension_attribute(
                        mapping, path, entry or {}, extensions
                    )
