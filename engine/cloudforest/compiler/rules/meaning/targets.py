"""Target attributes are those of the SCIM schemas that a mapping names."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.suggest import closest, listed
from cloudforest.compiler.tree import Tree
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.resource.path import Path, parse_path
from cloudforest.program.resource.scim import (
    ScimAttribute,
    known_schemas,
    mistake,
    target_attribute,
)

UNKNOWN, READ_ONLY = "unknown-target-attribute", "read-only-target-attribute"


def targets_are_known(tree: Tree) -> Iterator[Complaint]:
    for mapping in tree.of("Mapping"):
        content = tree.merged(mapping)
        if content is None:
            continue
        resource = content.get("targetObjectName", "")
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            found = None if entry is None else _fault(target, resource)
            if found is not None:
                id_, message = found
                path = ("attributeMappings", target)
                yield Complaint(id_, message, mapping, path, at_key=True)


def targets_do_not_overlap(tree: Tree) -> Iterator[Complaint]:
    """Refuse an attribute that is written as a whole and in part: one undoes the other.

    Of the manager, the whole is the reference alone.
    """
    for mapping in tree.of("Mapping"):
        content = tree.merged(mapping)
        entries = content["attributeMappings"] if content else {}
        resource = (content or {}).get("targetObjectName", "")
        paths = [path for target in entries if (path := _path(target)) is not None]
        wholes = {path.whole for path in paths if str(path) == path.whole}
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            path = _path(target)
            if entry is None or path is None or path.is_manager:
                continue
            if _fault(target, resource) is None:
                yield from _overlap(mapping, target, path, wholes, paths)


def _overlap(
    mapping: Document, target: str, path: Path, wholes: set[str], paths: list[Path]
) -> Iterator[Complaint]:
    parts = [each for each in paths if str(each) != each.whole == str(path)]
    inherited = str(path) != path.whole and path.whole in wholes
    if parts or (inherited and path.whole not in _own(mapping)):
        whole, part = path.whole, str(parts[0] if parts else path)
        message = (
            f'"{part}" is a part of "{whole}", which is mapped as a whole as well; keep'
            " one of the two, and write null for one that is inherited."
        )
        where = ("attributeMappings", target)
        yield Complaint("duplicate-target", message, mapping, where, at_key=True)


def _own(mapping: Document) -> set[str]:
    entries = mapping.content.get("attributeMappings", {})
    return {str(path) for each in entries if (path := _path(each)) is not None}


def _path(target: str) -> Path | None:
    """Return a path; one that can't be read is another rule's matter."""
    try:
        return parse_path(target)
    except SyntaxFault:
        return None


def _fault(target: str, resource: str) -> tuple[str, str] | None:
    """Return the id and the sentence; a path that can't be read is another rule's."""
    path = _path(target)
    if path is None:
        return None
    match mistake(path, resource):
        case None:
            return None
        case "foreign":
            return UNKNOWN, _foreign(path, resource)
        case "unknown":
            return UNKNOWN, _unknown(path, resource)
        case "immutable":
            message = (
                f'The target sets "{path.whole}" itself; take it out of the mapping.'
            )
            return READ_ONLY, message
        case "part":
            return UNKNOWN, _part(path, target_attribute(path, resource))


def _foreign(path: Path, resource: str) -> str:
    return (
        f'"{path.whole}" is an attribute of Users, and this mapping is for {resource} '
        "resources; take it out."
    )


def _unknown(path: Path, resource: str) -> str:
    schemas = known_schemas(resource)
    names = {
        each if schema is None else f"enterprise:{each}"
        for schema, attributes in schemas.items()
        for each, attribute in attributes.items()
        if not attribute.read_only
    }
    found = _elsewhere(path, resource) or closest(path.attribute, names)
    next_step = (
        f'did you mean "{found}"?'
        if found
        else "write an attribute of an extension with its URN."
    )
    return (
        f'The SCIM schemas of {resource} have no attribute "{path.whole}"; {next_step}'
    )


def _elsewhere(path: Path, resource: str) -> str | None:
    """Return the path of this name in the other schema, or as a part."""
    for schema, attributes in known_schemas(resource).items():
        prefix = "" if schema is None else "enterprise:"
        for name, attribute in attributes.items():
            if name == path.attribute and not attribute.read_only:
                return f"{prefix}{name}"
            if path.attribute in attribute.parts and not attribute.many:
                return f"{prefix}{name}.{path.attribute}"
    return None


def _part(path: Path, attribute: ScimAttribute | None) -> str:
    if attribute is None or not attribute.parts:
        return f'"{path.whole}" has no parts; write its name alone.'
    wrong = path.sub if path.sub not in {None, *attribute.parts} else path.key
    parts = sorted(attribute.parts)
    found = closest(str(wrong), parts)
    hint = f'did you mean "{found}"?' if found else f"it has {listed(parts)}."
    return f'"{path.whole}" has no part "{wrong}"; {hint}'
