"""Values fit the types of their targets: one or several, true or false."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.compiler.document import Complaint
from cloudforest.compiler.tree import Tree
from cloudforest.program.attribute import converted
from cloudforest.program.attribute.fitting import clash
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.faults import SyntaxFault, ValueFault
from cloudforest.program.resource.path import Path, parse_path

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
            found = _fault(target, entry or {}, resource)
            if found is not None:
                key, message = found
                path = ("attributeMappings", target, key)
                yield Complaint("type-clash", message, mapping, path)


def _fault(target: str, entry: dict[str, Any], resource: str) -> tuple[str, str] | None:
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
