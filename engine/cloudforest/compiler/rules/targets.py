"""Check that target attributes exist, and that sources fit their types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.base.wording import ask_if_meant, suggest, suggest_names
from cloudforest.compiler.document import Document, Mistakes
from cloudforest.compiler.tree import DocumentTree
from cloudforest.program.expressions.syntax import parse_expression_or_none
from cloudforest.program.faults import ValueFault
from cloudforest.program.mapping.types import convert_value, find_type_clash
from cloudforest.program.scim.path import ScimPath, parse_path_or_none
from cloudforest.program.scim.schema import (
    ScimAttribute,
    find_path_mistake,
    find_target_attribute,
    get_schemas,
)

UNKNOWN_ATTRIBUTE_ID, READ_ONLY_ATTRIBUTE_ID = (
    "unknown-target-attribute",
    "read-only-target-attribute",
)
_SENTENCES = {
    "several": (
        '"{path}" takes one value, but {words} has several. Choose one with Item, or'
        " combine them with Join."
    ),
    "text": (
        '"{path}" is true or false, but {words} is text. Compare it with `=` or Switch,'
        " or use another attribute."
    ),
    "no reference": (
        '"{path}" refers to another resource, but {words} is text. Use an attribute'
        " that holds distinguished names, such as manager or member."
    ),
    "reference": (
        '"{path}" is text, but {words} refers to another object, and agents only send'
        " its objectGUID. Use an attribute of the object itself."
    ),
    "binary": (
        '"{path}" is text, but {words} holds bytes. Map it to photos or'
        " x509Certificates, or use another attribute."
    ),
}


def _describe_foreign(path: ScimPath, resource: str) -> str:
    return (
        f'"{path.attribute_path}" is an attribute of User resources, but this mapping '
        f"is for {resource} resources. Remove it."
    )


def _find_elsewhere(path: ScimPath, resource: str) -> str | None:
    """Return the path of this name in another schema, or as a sub-attribute."""
    for schema, attributes in get_schemas(resource).items():
        prefix = "" if schema is None else "enterprise:"
        for name, attribute in attributes.items():
            if name == path.attribute and not attribute.read_only:
                return f"{prefix}{name}"
            if path.attribute in attribute.parts and not attribute.multi_valued:
                return f"{prefix}{name}.{path.attribute}"
    return None


def _describe_unknown(path: ScimPath, resource: str) -> str:
    schemas = get_schemas(resource)
    names = {
        each if schema is None else f"enterprise:{each}"
        for schema, attributes in schemas.items()
        for each, attribute in attributes.items()
        if not attribute.read_only
    }
    otherwise = "Write an attribute of an extension with its URN."
    elsewhere = _find_elsewhere(path, resource)
    next_step = (
        ask_if_meant(elsewhere)
        if elsewhere
        else suggest(path.attribute, names, otherwise)
    )
    return (
        f'The SCIM schemas of {resource} have no attribute "{path.attribute_path}". '
        f"{next_step}"
    )


def _describe_wrong_part(path: ScimPath, attribute: ScimAttribute | None) -> str:
    if attribute is None or not attribute.parts:
        return f'"{path.attribute_path}" has no sub-attributes. Write its name alone.'
    wrong = path.sub if path.sub not in {None, *attribute.parts} else path.key
    hint = suggest_names(str(wrong), attribute.parts)
    return f'"{path.attribute_path}" has no sub-attribute "{wrong}". {hint}'


def _find_path_fault(target: str, resource: str) -> tuple[str, str] | None:
    """Return the id and the message; None for paths that are fine or unreadable."""
    path = parse_path_or_none(target)
    if path is None:
        return None
    match find_path_mistake(path, resource):
        case None:
            return None
        case "foreign":
            return UNKNOWN_ATTRIBUTE_ID, _describe_foreign(path, resource)
        case "unknown":
            return UNKNOWN_ATTRIBUTE_ID, _describe_unknown(path, resource)
        case "immutable":
            message = (
                f'The target sets "{path.attribute_path}" itself. Remove it from the '
                "mapping."
            )
            return READ_ONLY_ATTRIBUTE_ID, message
        case "part":
            return UNKNOWN_ATTRIBUTE_ID, _describe_wrong_part(
                path, find_target_attribute(path, resource)
            )


def _list_entries(
    tree: DocumentTree,
) -> Iterator[tuple[Document, str, str, dict[str, Any]]]:
    """Yield mapping, resource type, target and entry, where the lineage is known."""
    for mapping in tree.documents_of("Mapping"):
        content = tree.merge_inherited(mapping)
        if content is not None:
            resource = content.get("targetObjectName", "")
            for target, entry in mapping.content.get("attributeMappings", {}).items():
                if entry is not None:
                    yield mapping, resource, target, entry


def check_target_attributes(tree: DocumentTree) -> Mistakes:
    for mapping, resource, target, _ in _list_entries(tree):
        found = _find_path_fault(target, resource)
        if found is not None:
            id_, message = found
            yield mapping.error(id_, message, "attributeMappings", target, at_key=True)


def _find_own_paths(mapping: Document) -> set[str]:
    entries = mapping.content.get("attributeMappings", {})
    return {
        str(path) for each in entries if (path := parse_path_or_none(each)) is not None
    }


def _check_overlap(
    mapping: Document,
    target: str,
    path: ScimPath,
    wholes: set[str],
    paths: list[ScimPath],
) -> Mistakes:
    parts = [each for each in paths if str(each) != each.attribute_path == str(path)]
    inherited = str(path) != path.attribute_path and path.attribute_path in wholes
    if parts or (inherited and path.attribute_path not in _find_own_paths(mapping)):
        whole, part = path.attribute_path, str(parts[0] if parts else path)
        message = (
            f'"{part}" is part of "{whole}", which is also mapped as a whole. Keep one '
            "of the two. Write `null` to remove an inherited one."
        )
        yield mapping.error(
            "duplicate-target", message, "attributeMappings", target, at_key=True
        )


def check_target_overlap(tree: DocumentTree) -> Mistakes:
    """Refuse an attribute that is written as a whole and in part: one undoes the other.

    `manager` is exempt, as writing it as a whole writes the reference only.
    """
    for mapping in tree.documents_of("Mapping"):
        content = tree.merge_inherited(mapping)
        entries = content["attributeMappings"] if content else {}
        resource = (content or {}).get("targetObjectName", "")
        paths = [
            path
            for target in entries
            if (path := parse_path_or_none(target)) is not None
        ]
        wholes = {
            path.attribute_path for path in paths if str(path) == path.attribute_path
        }
        for target, entry in mapping.content.get("attributeMappings", {}).items():
            path = parse_path_or_none(target)
            if entry is None or path is None or path.is_manager:
                continue
            if _find_path_fault(target, resource) is None:
                yield from _check_overlap(mapping, target, path, wholes, paths)


def _check_constant(path: ScimPath, constant: Any) -> tuple[str, str] | None:
    try:
        convert_value(str(path), constant)
    except ValueFault:
        message = (
            f'"{path}" is true or false, but the constant is neither. Write `true` or '
            "`false`."
        )
        return "constant", message
    return None


def _restore_spelling(words: str, source: str) -> str:
    """Spell words of an expression as its text does."""
    at = source.lower().find(words.lower())
    return source[at : at + len(words)] if at >= 0 else words


def _check_source(path: ScimPath, source: str, resource: str) -> tuple[str, str] | None:
    expression = parse_expression_or_none(source)
    if expression is None:
        return None
    found = find_type_clash(path, expression, resource)
    if found is None:
        return None
    kind, words = found
    sentence = _SENTENCES[kind].format(
        path=path, words=_restore_spelling(words, source)
    )
    return "source", sentence


def _find_type_fault(
    target: str, entry: dict[str, Any], resource: str
) -> tuple[str, str] | None:
    """Return the key at fault and the message; None where the syntax is wrong."""
    path = parse_path_or_none(target)
    if path is None:
        return None
    if "constant" in entry:
        return _check_constant(path, entry["constant"])
    if "source" in entry:
        return _check_source(path, entry["source"], resource)
    return None


def check_value_types(tree: DocumentTree) -> Mistakes:
    for mapping, resource, target, entry in _list_entries(tree):
        found = _find_type_fault(target, entry, resource)
        if found is not None:
            key, message = found
            yield mapping.error("type-clash", message, "attributeMappings", target, key)
