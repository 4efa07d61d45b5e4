"""Check values that have the right form but are out of range or do not fit."""

from __future__ import annotations

from typing import Any

from cloudforest.base.wording import suggest_names
from cloudforest.compiler.document import Content, Mistakes
from cloudforest.compiler.rules.flow import make_unmatchable
from cloudforest.compiler.tree import DocumentTree, MappingEntry, parse_duration
from cloudforest.model.program import ValueType
from cloudforest.program.faults import SyntaxFault, ValueFault
from cloudforest.program.mapping.types import convert_value
from cloudforest.program.scim.path import parse_path_or_none

MIN_INTERVAL_SECONDS = 30
UNMATCHABLE_TYPES = frozenset({"binary", "dateTime", "reference"})
"""Types whose values have several spellings."""


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
                path = ("domains", index, "source", "activeDirectory", "tls", "verify")
                yield forest.warning("tls-verification-off", message, *path)


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
    for entry in tree.entries:
        default = entry.fields.get("defaultValue")
        reason = _find_misfit_reason(entry.target, default)
        if reason is not None:
            message = (
                f'The default value "{default}" does not fit "{entry.target}". {reason}'
            )
            yield entry.error("default-value", message, "defaultValue")


def check_extension_paths(tree: DocumentTree) -> Mistakes:
    for target in tree.documents_of("Target"):
        for urn, attributes in target.content.get("extensions", {}).items():
            for name in attributes:
                path = parse_path_or_none(f"{urn}:{name}")
                if path and path.is_custom_extension and path.key is None:
                    continue
                message = (
                    f'"{urn}:{name}" is not a SCIM path. Write a URN and, below it, '
                    "names like `badge` or `office.floor`."
                )
                yield target.error(
                    "path-syntax", message, "extensions", urn, name, at_key=True
                )


def _check_extension_attribute(entry: MappingEntry, extensions: Content) -> Mistakes:
    path = entry.path
    if path is None or path.schema is None or path.schema not in extensions:
        return
    known, name = extensions[path.schema], path.name_in_schema
    if name not in known:
        message = (
            f'The target\'s schema {path.schema} has no attribute "{name}". '
            f"{suggest_names(name, known)}"
        )
        yield entry.error("unknown-target-attribute", message, at_key=True)
        return
    type_ = known[name]["type"]
    if entry.fields.get("matchingPriority"):
        if known[name].get("multiValued", False):
            yield make_unmatchable(entry, "has several values")
        elif type_ in UNMATCHABLE_TYPES:
            yield make_unmatchable(entry, f"has the type {type_}")
    for key in ("defaultValue", "constant"):
        value = entry.fields.get(key)
        reason = _find_misfit_reason(entry.target, value, type_)
        if reason is not None:
            message = f'The value "{value}" does not fit "{entry.target}". {reason}'
            yield entry.error("default-value", message, key)


def check_extension_attributes(tree: DocumentTree) -> Mistakes:
    """Report attributes that the extensions of a job's target do not declare."""
    mapped: dict[str | None, set[int]] = {}
    for job in tree.documents_of("Job"):
        mappings = mapped.setdefault(tree.find_target_name(job), set())
        for mapping in filter(None, map(tree.find_mapping, job.content["mappings"])):
            mappings.update(map(id, tree.find_lineage(mapping) or ()))
    for target in tree.documents_of("Target"):
        mappings = mapped.get(target.name, set())
        for entry in tree.entries:
            if id(entry.mapping) in mappings:
                extensions = target.content.get("extensions", {})
                yield from _check_extension_attribute(entry, extensions)
