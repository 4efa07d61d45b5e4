"""Check a document against the schema of its kind, and explain each mistake.

Misspelt keys are corrected and wrong parts removed, so that the rest can be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from jsonschema import ValidationError

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.base.wording import (
    find_closest,
    list_choices,
    quote_names,
    suggest,
    suggest_names,
)
from cloudforest.compiler.document import Document, Mistake, Mistakes
from cloudforest.compiler.schemas import (
    DOCUMENT_KINDS,
    find_duplicates,
    load_schema,
    make_validator,
)
from cloudforest.compiler.wording import (
    SCHEMA_TYPE_WORDS,
    capitalize_first,
    describe_path,
    describe_type,
    format_value,
    format_yaml_value,
    has_secret_in_url,
)

SECRET_TITLE = "Secret reference"  # noqa: S105 - a schema's title
SECRET_ID = "plain-text-secret"  # noqa: S105 - an id
MAX_SCHEMA_MISTAKES = 100
"""More of them are one mistake, such as a file of another tool."""
MAX_LISTED_KEYS = 20
_CREDENTIALS_IN_URL = (
    "is a URL that contains a secret. Move the secret to the credentials, as "
    "`{env: NAME}` or `{file: PATH}`. Change it if you shared this file."
)

Explanation = tuple[str, str]
"""An id, and what a message says after its subject."""


def _describe_block(path: DocumentPath, document: Document) -> str:
    return describe_path(path) if path else f"this {document.kind}"


def _explain_unknown_keys(
    document: Document, path: DocumentPath, error: Any
) -> Mistakes:
    known = set(error.schema["properties"])
    choices = list_choices(sorted(known), limit=MAX_LISTED_KEYS)
    free = known - set(error.instance)
    for key in sorted(set(error.instance) - known):
        intended = find_closest(key, free)
        next_step = suggest(key, {intended} if intended else known, choices)
        block = _describe_block(path, document)
        message = f'Unknown key "{key}" in {block}. {next_step}'
        yield document.error(
            "unknown-key", message, *path, key, at_key=True, intended_key=intended
        )
        free -= {intended}


def _explain_missing_keys(
    document: Document, path: DocumentPath, error: Any
) -> Mistakes:
    # A conditional requirement lacks the properties; the whole schema has them.
    schema = error.schema if path else load_schema(document.kind)
    for key in error.validator_value:
        if key not in error.instance:
            known = schema.get("properties", {}).get(key, {})
            example = format_yaml_value(known.get("examples", ["…"])[0])
            message = (
                f'The key "{key}" is missing in {_describe_block(path, document)}. '
                f"Add it, for example `{key}: {example}`."
            )
            yield document.error("missing-key", message, *path)


def _explain_duplicates(document: Document, path: DocumentPath, error: Any) -> Mistakes:
    for index, item in find_duplicates(error.instance):
        message = (
            f"{capitalize_first(format_value(item))} is already in the list. Remove "
            "one of the two."
        )
        yield document.error("duplicate-item", message, *path, index)


def _format_first_example(schema: dict[str, Any]) -> str:
    if "examples" not in schema:
        return "the others"
    return f"`{format_yaml_value(schema['examples'][0])}`"


def _explain_type(_: Document, error: Any) -> Explanation:
    if error.schema.get("title") == SECRET_TITLE and error.instance is not None:
        return SECRET_ID, (
            "holds a secret in plain text. Write `{env: NAME}` or `{file: PATH}`. "
            "Change the secret if you shared this file."
        )
    types = error.validator_value
    names = [types] if isinstance(types, str) else types
    expected = " or ".join(SCHEMA_TYPE_WORDS[each] for each in names)
    return "wrong-type", (
        f"must be {expected}, not {describe_type(error.instance)}. "
        f"Write it like {_format_first_example(error.schema)}."
    )


def _explain_value(_: Document, error: Any) -> Explanation:
    if has_secret_in_url(error.instance):
        return SECRET_ID, _CREDENTIALS_IN_URL
    value = error.validator_value
    choices = value if isinstance(value, list) else [value]
    next_step = suggest(str(error.instance), map(str, choices), list_choices(choices))
    return "unknown-value", f"cannot be {format_value(error.instance)}. {next_step}"


def _explain_format(_: Document, error: Any) -> Explanation:
    if has_secret_in_url(error.instance):
        return SECRET_ID, _CREDENTIALS_IN_URL
    is_hidden = error.schema.get("writeOnly")
    value = "" if is_hidden else f": {format_value(error.instance)}"
    return "wrong-format", (
        f"has the wrong format{value}. "
        f"Write it like {_format_first_example(error.schema)}."
    )


def _explain_empty(document: Document, error: Any) -> Explanation:
    """Offer to remove the key, unless the schema requires it."""
    node: Any = load_schema(document.kind)
    *parents, key = error.absolute_path
    for part in parents:
        other = node.get("items" if isinstance(part, int) else "additionalProperties")
        node = node.get("properties", {}).get(part, other)
        if not isinstance(node, dict):
            node = {}
    remove = "" if key in node.get("required", ()) else ", or remove the key"
    return "empty-list", f"is empty. Add an entry{remove}."


def _explain_range(_: Document, error: Any) -> Explanation:
    return "out-of-range", (
        f"is {format_value(error.instance)}. "
        f"The {error.validator} is {error.validator_value}."
    )


def _explain_choice(_: Document, error: Any) -> Explanation:
    choices = quote_names(each["required"][0] for each in error.validator_value)
    return "choose-one", f"needs exactly one of {choices}."


_EXPLAINERS_OF_ENTRIES: dict[str, Callable[..., Mistakes]] = {
    "additionalProperties": _explain_unknown_keys,
    "required": _explain_missing_keys,
    "uniqueItems": _explain_duplicates,
}
"""By keyword of JSON Schema: those that can yield several mistakes."""
_EXPLAINERS: dict[str, Callable[[Document, Any], Explanation]] = {
    "type": _explain_type,
    "enum": _explain_value,
    "const": _explain_value,
    "pattern": _explain_format,
    "minLength": _explain_format,
    "minItems": _explain_empty,
    "minProperties": _explain_empty,
    "minimum": _explain_range,
    "maximum": _explain_range,
    "oneOf": _explain_choice,
}


def _explain_error(document: Document, error: ValidationError) -> Mistakes:
    """Yield the mistakes of one schema error; secrets are not shown."""
    path: DocumentPath = tuple(error.absolute_path)
    keyword = str(error.validator)
    if keyword in _EXPLAINERS_OF_ENTRIES:
        yield from _EXPLAINERS_OF_ENTRIES[keyword](document, path, error)
        return
    id_, predicate = _EXPLAINERS[keyword](document, error)
    message = f"{capitalize_first(_describe_block(path, document))} {predicate}"
    yield document.error(id_, message, *path, is_line_hidden=id_ == SECRET_ID)


def _find_schema_mistakes(document: Document) -> list[Mistake]:
    """Return the mistakes, each once, without those that follow from another one."""
    errors = make_validator(document.content["kind"]).iter_errors(document.content)
    found = (each for error in errors for each in _explain_error(document, error))
    shown = list(islice(found, MAX_SCHEMA_MISTAKES))
    unique = {(each.path, each.id, each.message): each for each in shown}
    # A block of the wrong type lacks its keys too.
    wrong = {each.path for each in shown if each.id in {"wrong-type", SECRET_ID}}
    consequences = {"missing-key", "choose-one"}
    kept = [
        each
        for each in unique.values()
        if each.path not in wrong or each.id not in consequences
    ]
    if any(True for _ in found):
        message = (
            f"The document has more than {MAX_SCHEMA_MISTAKES} mistakes. Fix these "
            "first, then check it again to see the rest."
        )
        kept.append(document.error("more-mistakes", message))
    return kept


def _rewrite_document(document: Document, mistakes: Iterable[Mistake]) -> Document:
    """Return the document with misspelt keys corrected and wrong parts removed."""
    changes = {each.path: each.intended_key for each in mistakes}
    old_paths: dict[DocumentPath, DocumentPath] = {}

    def rewrite(node: Any, old: DocumentPath, new: DocumentPath) -> Any:
        old_paths[new] = old
        if isinstance(node, dict):
            names = {changes.get((*old, key), key): key for key in node}
            return {
                name: rewrite(node[key], (*old, key), (*new, name))
                for name, key in names.items()
                if name is not None
            }
        if isinstance(node, list):
            indexes = [at for at in range(len(node)) if (*old, at) not in changes]
            return [
                rewrite(node[at], (*old, at), (*new, index))
                for index, at in enumerate(indexes)
            ]
        return node

    content = rewrite(document.content, (), ())
    return Document(
        content, document.locations.with_paths(old_paths), document.is_complete
    )


def check_schema(document: Document) -> tuple[list[Mistake], Document]:
    """Return the mistakes in the shape of a document, each once.

    The rest of the document is checked as if its misspelt keys were right: the document
    with corrected keys is returned too.
    """
    if "kind" not in document.content:
        message = f'The key "kind" is missing. {list_choices(DOCUMENT_KINDS)}'
        return [document.error("missing-key", message)], document
    kind = document.content["kind"]
    if kind not in DOCUMENT_KINDS:
        message = (
            f"`kind` cannot be {format_value(kind)}. "
            f"{suggest_names(str(kind), DOCUMENT_KINDS)}"
        )
        return [document.error("unknown-kind", message, "kind")], document
    found: list[Mistake] = []
    while True:
        mistakes = _find_schema_mistakes(document)
        misspelt = [each for each in mistakes if each.intended_key is not None]
        if not misspelt or any(each.id == "more-mistakes" for each in mistakes):
            return found + mistakes, document
        found += misspelt
        document = _rewrite_document(document, misspelt)


def extract_valid_part(document: Document) -> Document | None:
    """Return the document without its wrong parts; None if it needs one of them.

    Its misspelt keys are corrected.
    """
    if document.kind not in DOCUMENT_KINDS:
        return None
    while mistakes := _find_schema_mistakes(document):
        if not all(each.path for each in mistakes):
            return None
        document = _rewrite_document(document, mistakes)
    return document
