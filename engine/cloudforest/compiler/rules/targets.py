"""Check that target attributes exist, and that sources fit their types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cloudforest.base.wording import ask_if_meant, suggest, suggest_names
from cloudforest.compiler.document import Content, Mistakes
from cloudforest.compiler.tree import DocumentTree, MappingEntry, canonical_target
from cloudforest.compiler.wording import restore_spelling
from cloudforest.program.faults import ValueFault
from cloudforest.program.mapping.types import convert_value, find_type_clash
from cloudforest.program.scim.path import ScimPath, parse_path_or_none
from cloudforest.program.scim.schema import (
    find_path_mistake,
    find_target_attribute,
    get_schemas,
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


def _describe_wrong_part(path: ScimPath, resource: str) -> str:
    attribute = find_target_attribute(path, resource)
    if attribute is None or not attribute.parts:
        return f'"{path.attribute_path}" has no sub-attributes. Write its name alone.'
    wrong = path.sub if path.sub not in {None, *attribute.parts} else path.key
    hint = suggest_names(str(wrong), attribute.parts)
    return f'"{path.attribute_path}" has no sub-attribute "{wrong}". {hint}'


def _describe_immutable(path: ScimPath, _: str) -> str:
    return (
        f'The target sets "{path.attribute_path}" itself. Remove it from the mapping.'
    )


_DESCRIPTIONS = {
    "foreign": ("unknown-target-attribute", _describe_foreign),
    "unknown": ("unknown-target-attribute", _describe_unknown),
    "part": ("unknown-target-attribute", _describe_wrong_part),
    "immutable": ("read-only-target-attribute", _describe_immutable),
}


class _Target(NamedTuple):
    """An entry, its path, and its mapping with what that inherits."""

    entry: MappingEntry
    path: ScimPath
    mapping: Content

    @property
    def resource(self) -> str:
        return str(self.mapping.get("targetObjectName", ""))


def _list_targets(tree: DocumentTree) -> Iterator[_Target]:
    """Yield each target whose path and lineage are known."""
    contents = {
        id(each): tree.merge_inherited(each) for each in tree.documents_of("Mapping")
    }
    for entry in tree.entries:
        content = contents[id(entry.mapping)]
        if entry.fields and entry.path and content is not None:
            yield _Target(entry, entry.path, content)


def check_target_attributes(tree: DocumentTree) -> Mistakes:
    for each in _list_targets(tree):
        mistake = find_path_mistake(each.path, each.resource)
        if mistake is not None:
            id_, describe = _DESCRIPTIONS[mistake]
            message = describe(each.path, each.resource)
            yield each.entry.error(id_, message, at_key=True)


def _find_overlapping_part(target: _Target) -> str | None:
    """Return the path of a part of the attribute that is also written as a whole."""
    written, whole = target.mapping["attributeMappings"], target.path.attribute_path
    if str(target.path) == whole:
        paths = filter(None, map(parse_path_or_none, written))
        parts = (each for each in paths if each.attribute_path == whole != str(each))
        return next(map(str, parts), None)
    own = map(canonical_target, target.entry.mapping.content["attributeMappings"])
    return str(target.path) if whole in written and whole not in own else None


def check_target_overlap(tree: DocumentTree) -> Mistakes:
    """Refuse an attribute that is written as a whole and in part: one undoes the other.

    `manager` is exempt, as writing it as a whole writes the reference only.
    """
    for each in _list_targets(tree):
        if each.path.is_manager or find_path_mistake(each.path, each.resource):
            continue
        if (part := _find_overlapping_part(each)) is not None:
            message = (
                f'"{part}" is part of "{each.path.attribute_path}", which is also '
                "mapped as a whole. Keep one of the two. Write `null` to remove an "
                "inherited one."
            )
            yield each.entry.error("duplicate-target", message, at_key=True)


def check_value_types(tree: DocumentTree) -> Mistakes:
    for each in _list_targets(tree):
        entry, path = each.entry, each.path
        if "constant" in entry.fields:
            try:
                convert_value(str(path), entry.fields["constant"])
            except ValueFault:
                message = (
                    f'"{path}" is true or false, but the constant is neither. Write '
                    "`true` or `false`."
                )
                yield entry.error("type-clash", message, "constant")
        elif entry.expression and (
            found := find_type_clash(path, entry.expression, each.resource)
        ):
            kind, words = found
            words = restore_spelling(words, entry.fields["source"])
            message = _SENTENCES[kind].format(path=path, words=words)
            yield entry.error("type-clash", message, "source")
