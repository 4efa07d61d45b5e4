"""Target attributes are those of the SCIM schemas that a mapping names.

Values fit the types of their targets: one or several, true or false.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import Tree
from cloudforest.compiler.wording import closest, listed
from cloudforest.program.expressions.syntax import parse_expression
from cloudforest.program.faults import SyntaxFault, ValueFault
from cloudforest.program.mapping.types import clash, converted
from cloudforest.program.scim.path import Path, parse_path
from cloudforest.program.scim.schema import (
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
            found = None if entry is None else _target_fault(target, resource)
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
            if _target_fault(target, resource) is None:
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


def _target_fault(target: str, resource: str) -> tuple[str, str] | None:
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


_SENTENCES = {
    "several": (
        '"{path}" takes one value, and {words} has several, in no order; choose one'
        " with Item, or put them together with Join."
    ),
    "text": (
        '"{path}" is true or false, and {words} is a text; compare it with = or Switch,'
        " or take another attribute."
    ),
    "no reference": (
        '"{path}" names another resource, and {words} is a text that names none; take'
        " an attribute that holds distinguished names, such as manager or member."
    ),
    "reference": (
        '"{path}" is a text, and {words} names another object, of which an agent says'
        " the objectGUID alone; take an attribute of the object itself."
    ),
    "binary": (
        '"{path}" is a text, and {words} holds bytes; map it to photos or'
        " x509Certificates, or take another attribute."
    ),
}


def types_fit(tree: Tree) -> Iterator[Complaint]:
    for mapping in tree.of("Mapping"):
        content = tree.merged(mapping)
        if content is None:
            continue
        resource = content.get("targetObjectName", "")
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            found = _type_fault(target, entry or {}, resource)
            if found is not None:
                key, message = found
                path = ("attributeMappings", target, key)
                yield Complaint("type-clash", message, mapping, path)


def _type_fault(
    target: str, entry: dict[str, Any], resource: str
) -> tuple[str, str] | None:
    """Return the key at fault and the sentence; None for what can't be read."""
    try:
        path = parse_path(target)
        if "constant" in entry:
            return _of_constant(path, entry["constant"])
        if "source" in entry:
            return _of_source(path, entry["source"], resource)
    except SyntaxFault:
        return None
    return None


def _of_constant(path: Path, constant: Any) -> tuple[str, str] | None:
    try:
        converted(str(path), constant)
    except ValueFault:
        message = (
            f'"{path}" is true or false, and the constant is neither; '
            "write `true` or `false`."
        )
        return "constant", message
    return None


def _of_source(path: Path, source: str, resource: str) -> tuple[str, str] | None:
    found = clash(path, parse_expression(source), resource)
    if found is None:
        return None
    kind, words = found
    sentence = _SENTENCES[kind].format(path=path, words=_as_written(words, source))
    return "source", sentence


def _as_written(words: str, source: str) -> str:
    """Return words of an expression in the spelling that they have there."""
    at = source.lower().find(words.lower())
    return source[at : at + len(words)] if at >= 0 else words
