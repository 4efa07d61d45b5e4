"""Check a document against the schema of its kind, and explain each mistake.

Misspelt keys are corrected and wrong parts removed, so that the rest can be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from jsonschema import ValidationError

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Document, Mistake, Mistakes
from cloudforest.compiler.schemas import (
    DOCUMENT_KINDS,
    find_duplicates,
    load_schema,
    make_validator,
)
from cloudforest.compiler.wording import (
    SCHEMA_TYPE_WORDS,
    ask_if_meant,
    capitalize_first,
    describe_path,
    describe_type,
    find_closest,
    format_value,
    format_yaml_value,
    has_secret_in_url,
    list_choices,
    quote_names,
    suggest_names,
)

SECRET_TITLE = "Secret reference"  # noqa: S105 - a schema's title

Explanations = Mistakes
KeyRenames = Mapping[DocumentPath, str]
TYPE_MISTAKE_IDS = {"wrong-type", "plain-text-secret"}
MAX_SCHEMA_MISTAKES = 100
"""More of them are one mistake, such as a file of another tool."""
MAX_LISTED_KEYS = 20


def explain_schema_error(document: Document, error: ValidationError) -> Explanations:
    """Yield the diagnostics for one schema error; secrets are not shown."""
    path: DocumentPath = tuple(error.absolute_path)
    yield from EXPLAINERS[str(error.validator)](document, path, error)


def _describe_block(path: DocumentPath, document: Document) -> str:
    return describe_path(path) if path else f"this {document.kind}"


def _explain_unknown_keys(
    document: Document, path: DocumentPath, error: Any
) -> Explanations:
    known = set(error.schema["properties"])
    free = known - set(error.instance)
    for key in sorted(set(error.instance) - known):
        intended = find_closest(key, free)
        closest = intended or find_closest(key, known)
        next_step = (
            ask_if_meant(closest)
            if closest
            else list_choices(sorted(known), limit=MAX_LISTED_KEYS)
        )
        message = (
            f'Unknown key "{key}" in {_describe_block(path, document)}. {next_step}'
        )
        yield document.error(
            "unknown-key", message, *path, key, at_key=True, intended_key=intended
        )
        free -= {intended}


def _format_key_example(schema: dict[str, Any], key: str) -> str:
    examples = schema.get("properties", {}).get(key, {}).get("examples", ["…"])
    return f"`{key}: {format_yaml_value(examples[0])}`"


def _explain_missing_keys(
    document: Document, path: DocumentPath, error: Any
) -> Explanations:
    # A conditional requirement lacks the properties; the whole schema has them.
    schema = error.schema if path else load_schema(document.kind)
    for key in error.validator_value:
        if key in error.instance:
            continue
        message = (
            f'The key "{key}" is missing in {_describe_block(path, document)}. '
            f"Add it, for example {_format_key_example(schema, key)}."
        )
        yield document.error("missing-key", message, *path)


def _format_first_example(schema: dict[str, Any]) -> str:
    if "examples" not in schema:
        return "the others"
    return f"`{format_yaml_value(schema['examples'][0])}`"


def _make_plain_text(document: Document, path: DocumentPath) -> Mistake:
    message = (
        f"{capitalize_first(describe_path(path))} holds a secret in plain text. Write "
        f"`{{env: NAME}}` or `{{file: PATH}}`. Change the secret if you shared this "
        "file."
    )
    return document.error("plain-text-secret", message, *path, is_line_hidden=True)


def _explain_type(document: Document, path: DocumentPath, error: Any) -> Explanations:
    if error.schema.get("title") == SECRET_TITLE and error.instance is not None:
        yield _make_plain_text(document, path)
        return
    types = error.validator_value
    names = [types] if isinstance(types, str) else types
    expected = " or ".join(SCHEMA_TYPE_WORDS[each] for each in names)
    message = (
        f"{capitalize_first(describe_path(path))} must be {expected}, not "
        f"{describe_type(error.instance)}."
    )
    if path:
        message += f" Write it like {_format_first_example(error.schema)}."
    yield document.error("wrong-type", message, *path)


def _make_secret_in_url(document: Document, path: DocumentPath) -> Mistake:
    message = (
        f"{capitalize_first(describe_path(path))} is a URL that contains a secret. "
        f"Move the secret to the credentials, as `{{env: NAME}}` or `{{file: PATH}}`. "
        "Change it if you shared this file."
    )
    return document.error("plain-text-secret", message, *path, is_line_hidden=True)


def _explain_value(document: Document, path: DocumentPath, error: Any) -> Explanations:
    if has_secret_in_url(error.instance):
        yield _make_secret_in_url(document, path)
        return
    value = error.validator_value
    choices = value if isinstance(value, list) else [value]
    closest = find_closest(str(error.instance), [str(each) for each in choices])
    next_step = ask_if_meant(closest) if closest else list_choices(choices)
    message = (
        f"{capitalize_first(describe_path(path))} cannot be "
        f"{format_value(error.instance)}. {next_step}"
    )
    yield document.error("unknown-value", message, *path)


def _explain_format(document: Document, path: DocumentPath, error: Any) -> Explanations:
    if has_secret_in_url(error.instance):
        yield _make_secret_in_url(document, path)
        return
    is_hidden = error.schema.get("writeOnly")
    value = "" if is_hidden else f": {format_value(error.instance)}"
    message = (
        f"{capitalize_first(describe_path(path))} has the wrong format{value}. "
        f"Write it like {_format_first_example(error.schema)}."
    )
    yield document.error("wrong-format", message, *path)


def _is_required(document: Document, path: DocumentPath) -> bool:
    """Tell whether the schema requires the key at a path; an optional one can go."""
    node: Any = load_schema(document.kind)
    for part in path[:-1]:
        known = node.get("properties", {})
        other = node.get("items" if isinstance(part, int) else "additionalProperties")
        node = known.get(part, other)
        if not isinstance(node, dict):
            return False
    return path[-1] in node.get("required", ())


def _explain_empty(document: Document, path: DocumentPath, error: Any) -> Explanations:
    del error
    is_required = _is_required(document, path)
    next_step = "Add an entry." if is_required else "Add an entry, or remove the key."
    message = f"{capitalize_first(describe_path(path))} is empty. {next_step}"
    yield document.error("empty-list", message, *path)


def _explain_duplicates(
    document: Document, path: DocumentPath, error: Any
) -> Explanations:
    for index, item in find_duplicates(error.instance):
        message = (
            f"{capitalize_first(format_value(item))} is already in the list. Remove "
            "one of the two."
        )
        yield document.error("duplicate-item", message, *path, index)


def _explain_range(document: Document, path: DocumentPath, error: Any) -> Explanations:
    message = (
        f"{capitalize_first(describe_path(path))} is {format_value(error.instance)}. "
        f"The {error.validator} is {error.validator_value}."
    )
    yield document.error("out-of-range", message, *path)


def _explain_choice(document: Document, path: DocumentPath, error: Any) -> Explanations:
    choices = [each["required"][0] for each in error.validator_value]
    message = (
        f"{capitalize_first(_describe_block(path, document))} needs exactly one of "
        f"{quote_names(choices)}."
    )
    yield document.error("choose-one", message, *path)


EXPLAINERS: dict[str, Callable[[Document, DocumentPath, Any], Explanations]] = {
    "additionalProperties": _explain_unknown_keys,
    "required": _explain_missing_keys,
    "type": _explain_type,
    "enum": _explain_value,
    "const": _explain_value,
    "pattern": _explain_format,
    "minLength": _explain_format,
    "minItems": _explain_empty,
    "minProperties": _explain_empty,
    "uniqueItems": _explain_duplicates,
    "minimum": _explain_range,
    "maximum": _explain_range,
    "oneOf": _explain_choice,
}


def _rewrite_document(
    document: Document, names: KeyRenames, removed: frozenset[DocumentPath]
) -> Document:
    old_paths: dict[DocumentPath, DocumentPath] = {}

    def rewrite(node: Any, old: DocumentPath, new: DocumentPath) -> Any:
        old_paths[new] = old
        if isinstance(node, dict):
            kept = {
                names.get((*old, key), key): (key, each)
                for key, each in node.items()
                if (*old, key) not in removed
            }
            return {
                name: rewrite(each, (*old, key), (*new, name))
                for name, (key, each) in kept.items()
            }
        if isinstance(node, list):
            indexes = [at for at in range(len(node)) if (*old, at) not in removed]
            return [
                rewrite(node[at], (*old, at), (*new, index))
                for index, at in enumerate(indexes)
            ]
        return node

    content = rewrite(document.content, (), ())
    return Document(
        content, document.locations.with_paths(old_paths), document.is_complete
    )


def rename_keys(document: Document, misspelt: Iterable[Mistake]) -> Document:
    """Return the document with its misspelt keys corrected; locations stay.

    Each of `misspelt` has an `intended_key`.
    """
    names = {each.path: str(each.intended_key) for each in misspelt}
    return _rewrite_document(document, names, frozenset())


def remove_paths(document: Document, wrong: Iterable[Mistake]) -> Document:
    """Return the document without its wrong parts."""
    return _rewrite_document(document, {}, frozenset(each.path for each in wrong))


def _select_misspelt(diagnostics: list[Mistake]) -> list[Mistake]:
    if any(each.id == "more-mistakes" for each in diagnostics):
        return []
    return [each for each in diagnostics if each.intended_key is not None]


def _make_more_mistakes(document: Document) -> Mistake:
    message = (
        f"The document has more than {MAX_SCHEMA_MISTAKES} mistakes. Fix these first, "
        "then check it again to see the rest."
    )
    return document.error("more-mistakes", message)


def _is_consequence(mistake: Mistake, others: list[Mistake]) -> bool:
    """Tell whether a key is only missing because its block has the wrong type."""
    return mistake.id in {"missing-key", "choose-one"} and any(
        each.id in TYPE_MISTAKE_IDS and each.path == mistake.path for each in others
    )


def _drop_consequences(
    diagnostics: list[Mistake],
) -> list[Mistake]:
    """Drop duplicates, and mistakes that follow from another one at the same path."""
    kept: dict[object, Mistake] = {}
    for each in diagnostics:
        kept.setdefault((each.path, each.id, each.message), each)
    return [each for each in kept.values() if not _is_consequence(each, diagnostics)]


def _find_schema_mistakes(document: Document) -> list[Mistake]:
    errors = make_validator(document.content["kind"]).iter_errors(document.content)
    found = (each for error in errors for each in explain_schema_error(document, error))
    shown = list(islice(found, MAX_SCHEMA_MISTAKES))
    return _drop_consequences(shown) + [
        _make_more_mistakes(document) for _ in islice(found, 1)
    ]


def check_schema(document: Document) -> list[Mistake]:
    """Return the mistakes in the shape of a document, each once.

    The rest of the document is checked as if its misspelt keys were right.
    """
    if "kind" not in document.content:
        message = f'The key "kind" is missing. {list_choices(DOCUMENT_KINDS)}'
        return [document.error("missing-key", message)]
    kind = document.content["kind"]
    if kind not in DOCUMENT_KINDS:
        message = (
            f"`kind` cannot be {format_value(kind)}. "
            f"{suggest_names(str(kind), DOCUMENT_KINDS)}"
        )
        return [document.error("unknown-kind", message, "kind")]
    mistakes = _find_schema_mistakes(document)
    misspelt = _select_misspelt(mistakes)
    if not misspelt:
        return mistakes
    return misspelt + check_schema(rename_keys(document, misspelt))


def correct_keys(document: Document) -> Document:
    """Return the document with its misspelt keys corrected."""
    while document.kind in DOCUMENT_KINDS and (
        misspelt := _select_misspelt(_find_schema_mistakes(document))
    ):
        document = rename_keys(document, misspelt)
    return document


def extract_valid_part(document: Document) -> Document | None:
    """Return the document without its wrong parts; None if it needs one of them."""
    document = correct_keys(document)
    if document.kind not in DOCUMENT_KINDS:
        return None
    while mistakes := _find_schema_mistakes(document):
        if not all(each.path for each in mistakes):
            return None
        document = remove_paths(document, mistakes)
    return document
