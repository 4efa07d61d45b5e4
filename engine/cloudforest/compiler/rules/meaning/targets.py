"""Target attributes are those of the SCIM schemas that a mapping names."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.compiler.document import Complaint
from cloudforest.compiler.rules.meaning.scim import (
    ScimAttribute,
    known_schemas,
    schema_of_path,
)
from cloudforest.compiler.suggest import closest, listed
from cloudforest.compiler.tree import Tree
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.resource.path import ENTERPRISE, Path, parse_path

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


def target_attribute(path: Path, resource: str) -> ScimAttribute | None:
    """Return the attribute that a path leads to; None if nothing says what it is."""
    schema = schema_of_path(resource, path.schema)
    return schema.get(path.attribute) if schema else None


def _fault(target: str, resource: str) -> tuple[str, str] | None:
    """Return the id and the sentence; a path that can't be read is another rule's."""
    try:
        path = parse_path(target)
    except SyntaxFault:
        return None
    schema = schema_of_path(resource, path.schema)
    if schema is None:
        return _foreign(path, resource)
    attribute = schema.get(path.attribute)
    if attribute is None:
        return UNKNOWN, _unknown(path, resource)
    if attribute.read_only:
        message = f'The target sets "{path.whole}" itself; take it out of the mapping.'
        return READ_ONLY, message
    strange = {path.sub, path.key} - {None} - attribute.parts
    return (UNKNOWN, _part(path, attribute)) if strange else None


def _foreign(path: Path, resource: str) -> tuple[str, str] | None:
    """Complain of the enterprise extension of what isn't a User."""
    if path.schema != ENTERPRISE or resource not in {"User", "Group"}:
        return None
    message = (
        f'"{path.whole}" is an attribute of Users, and this mapping is for {resource} '
        "resources; take it out."
    )
    return UNKNOWN, message


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


def _part(path: Path, attribute: ScimAttribute) -> str:
    if not attribute.parts:
        return f'"{path.whole}" has no parts; write its name alone.'
    wrong = path.sub if path.sub not in {None, *attribute.parts} else path.key
    parts = sorted(attribute.parts)
    found = closest(str(wrong), parts)
    hint = f'did you mean "{found}"?' if found else f"it has {listed(parts)}."
    return f'"{path.whole}" has no part "{wrong}"; {hint}'
