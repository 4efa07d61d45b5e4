"""What jsonschema found, said as one sentence with an id of our own.

A document as it was probably meant, so that more of it can be checked.

Check a document against the schema of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from jsonschema import ValidationError

from cloudforest.base.diagnostics import DocumentPath
from cloudforest.compiler.document import Document, DocumentDiagnostic
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
    find_closest,
    format_value,
    format_yaml_value,
    has_secret_in_url,
    quote_names,
    suggest_names,
)

SECRET_TITLE = "Secret reference"  # noqa: S105 - a schema's title

Explanations = Iterator[DocumentDiagnostic]


def explain_schema_error(document: Document, error: ValidationError) -> Explanations:
    """Yield the complaints that one schema error stands for. Secrets are not shown."""
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
        meant = find_closest(key, free)
        found = meant or find_closest(key, known)
        next_step = (
            f'did you mean "{found}"?'
            if found
            else f"known here: {quote_names(sorted(known), limit=20)}."
        )
        message = (
            f'The key "{key}" is unknown in {_describe_block(path, document)}; '
            f"{next_step}"
        )
        where = (*path, key)
        yield DocumentDiagnostic(
            "unknown-key", message, document, where, at_key=True, intended_key=meant
        )
        free -= {meant}


def _explain_missing_keys(
    document: Document, path: DocumentPath, error: Any
) -> Explanations:
    # A key that is needed only sometimes is described where all are.
    schema = error.schema if path else load_schema(document.kind)
    for key in error.validator_value:
        if key in error.instance:
            continue
        message = (
            f'The key "{key}" is missing in {_describe_block(path, document)}; '
            f"add it, for example {_format_key_example(schema, key)}."
        )
        yield DocumentDiagnostic("missing-key", message, document, path)


def _format_first_example(schema: dict[str, Any]) -> str:
    return (
        format_yaml_value(schema["examples"][0])
        if "examples" in schema
        else "the others"
    )


def _format_key_example(schema: dict[str, Any], key: str) -> str:
    examples = schema.get("properties", {}).get(key, {}).get("examples", ["…"])
    return f"`{key}: {format_yaml_value(examples[0])}`"


def _explain_type(document: Document, path: DocumentPath, error: Any) -> Explanations:
    if error.schema.get("title") == SECRET_TITLE and error.instance is not None:
        yield _make_plain_text(document, path)
        return
    wanted = error.validator_value
    names = [wanted] if isinstance(wanted, str) else wanted
    expected = " or ".join(SCHEMA_TYPE_WORDS[each] for each in names)
    found = describe_type(error.instance)
    like = f"; write it like {_format_first_example(error.schema)}" if path else ""
    message = (
        f"{capitalize_first(describe_path(path))} must be {expected}, not "
        f"{found}{like}."
    )
    yield DocumentDiagnostic("wrong-type", message, document, path)


def _make_plain_text(document: Document, path: DocumentPath) -> DocumentDiagnostic:
    message = (
        f"{capitalize_first(describe_path(path))} holds a secret in plain text; "
        "write {env: NAME} or {file: PATH}, and change the secret if this was shared."
    )
    return DocumentDiagnostic(
        "plain-text-secret", message, document, path, is_line_hidden=True
    )


def _make_secret_in_url(document: Document, path: DocumentPath) -> DocumentDiagnostic:
    message = (
        f"{capitalize_first(describe_path(path))} is a URL that holds a secret; "
        "take it out, refer to "
        "it by {env: NAME} or {file: PATH} where credentials belong, and change the "
        "secret if this was shared."
    )
    return DocumentDiagnostic(
        "plain-text-secret", message, document, path, is_line_hidden=True
    )


def _explain_value(document: Document, path: DocumentPath, error: Any) -> Explanations:
    if has_secret_in_url(error.instance):
        yield _make_secret_in_url(document, path)
        return
    value = error.validator_value
    choices = value if isinstance(value, list) else [value]
    found = find_closest(str(error.instance), [str(each) for each in choices])
    next_step = (
        f'did you mean "{found}"?' if found else f"it can be {quote_names(choices)}."
    )
    message = (
        f"{capitalize_first(describe_path(path))} can't be "
        f"{format_value(error.instance)}; "
    )
    yield DocumentDiagnostic("unknown-value", message + next_step, document, path)


def _explain_format(document: Document, path: DocumentPath, error: Any) -> Explanations:
    if has_secret_in_url(error.instance):
        yield _make_secret_in_url(document, path)
        return
    hidden = error.schema.get("writeOnly")
    value = "this value" if hidden else format_value(error.instance)
    message = (
        f"{capitalize_first(describe_path(path))} can't be {value}; "
        f"write it like {_format_first_example(error.schema)}."
    )
    yield DocumentDiagnostic("wrong-format", message, document, path)


def _is_required(document: Document, path: DocumentPath) -> bool:
    """Tell whether the schema needs the key at a path; a list or block in it may go."""
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
    needed = _is_required(document, path)
    next_step = "add an entry" if needed else "add an entry or remove the key"
    message = f"{capitalize_first(describe_path(path))} is empty; {next_step}."
    yield DocumentDiagnostic("empty-list", message, document, path)


def _explain_duplicates(
    document: Document, path: DocumentPath, error: Any
) -> Explanations:
    for index, item in find_duplicates(error.instance):
        message = (
            f"{capitalize_first(format_value(item))} is already in the list; remove "
            "one of the two."
        )
        yield DocumentDiagnostic("duplicate-item", message, document, (*path, index))


def _explain_range(document: Document, path: DocumentPath, error: Any) -> Explanations:
    bound = "at least" if error.validator == "minimum" else "at most"
    message = (
        f"{capitalize_first(describe_path(path))} is {format_value(error.instance)}, "
        f"but must be {bound} {error.validator_value}."
    )
    yield DocumentDiagnostic("out-of-range", message, document, path)


def _explain_choice(document: Document, path: DocumentPath, error: Any) -> Explanations:
    choices = [each["required"][0] for each in error.validator_value]
    message = (
        f"{capitalize_first(_describe_block(path, document))} needs exactly one of "
        f"{quote_names(choices)}."
    )
    yield DocumentDiagnostic("choose-one", message, document, path)


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


KeyRenames = Mapping[DocumentPath, str]


def rename_keys(document: Document, misspelt: Iterable[DocumentDiagnostic]) -> Document:
    """Return it with the keys that misspelt ones stand for; places stay what they are.

    Each of `misspelt` has a `meant`.
    """
    names = {each.path: str(each.intended_key) for each in misspelt}
    return _rewrite_document(document, names, frozenset())


def remove_paths(document: Document, wrong: Iterable[DocumentDiagnostic]) -> Document:
    """Return it without the parts that are wrong."""
    return _rewrite_document(document, {}, frozenset(each.path for each in wrong))


def _rewrite_document(
    document: Document, names: KeyRenames, left_out: frozenset[DocumentPath]
) -> Document:
    moved: dict[DocumentPath, DocumentPath] = {}

    def rewritten(node: Any, old: DocumentPath, new: DocumentPath) -> Any:
        moved[new] = old
        if isinstance(node, dict):
            kept = {
                names.get((*old, key), key): (key, each)
                for key, each in node.items()
                if (*old, key) not in left_out
            }
            return {
                name: rewritten(each, (*old, key), (*new, name))
                for name, (key, each) in kept.items()
            }
        if isinstance(node, list):
            kept_at = [at for at in range(len(node)) if (*old, at) not in left_out]
            return [
                rewritten(node[at], (*old, at), (*new, index))
                for index, at in enumerate(kept_at)
            ]
        return node

    content = rewritten(document.content, (), ())
    return Document(content, document.locations.with_paths(moved), document.is_complete)


TYPE_MISTAKE_IDS = {"wrong-type", "plain-text-secret"}
MAX_SCHEMA_MISTAKES = 100
"""Mistakes told of one document: a thousand are one, such as a file of another tool."""


def check_schema(document: Document) -> list[DocumentDiagnostic]:
    """Return what is wrong with the shape of a document, each mistake once.

    What is missing or wrong beside a misspelt key is what would be if it were right.
    """
    if "kind" not in document.content:
        message = 'The key "kind" is missing; '
        return [
            DocumentDiagnostic(
                "missing-key", message + suggest_names("", DOCUMENT_KINDS), document
            )
        ]
    kind = document.content["kind"]
    if kind not in DOCUMENT_KINDS:
        message = (
            f"{capitalize_first(format_value(kind))} is not a kind; "
            f"{suggest_names(str(kind), DOCUMENT_KINDS)}"
        )
        return [DocumentDiagnostic("unknown-kind", message, document, ("kind",))]
    told = _find_schema_mistakes(document)
    misspelt = _select_misspelt(told)
    if not misspelt:
        return told
    return misspelt + check_schema(rename_keys(document, misspelt))


def correct_keys(document: Document) -> Document:
    """Return a document with the keys that its misspelt ones stand for."""
    while document.kind in DOCUMENT_KINDS and (
        misspelt := _select_misspelt(_find_schema_mistakes(document))
    ):
        document = rename_keys(document, misspelt)
    return document


def extract_valid_part(document: Document) -> Document | None:
    """Return a document without what is wrong; None if that is a part it needs."""
    document = correct_keys(document)
    if document.kind not in DOCUMENT_KINDS:
        return None
    while told := _find_schema_mistakes(document):
        if not all(each.path for each in told):
            return None
        document = remove_paths(document, told)
    return document


def _select_misspelt(diagnostics: list[DocumentDiagnostic]) -> list[DocumentDiagnostic]:
    more = any(each.id == "more-mistakes" for each in diagnostics)
    return (
        [] if more else [each for each in diagnostics if each.intended_key is not None]
    )


def _find_schema_mistakes(document: Document) -> list[DocumentDiagnostic]:
    errors = make_validator(document.content["kind"]).iter_errors(document.content)
    found = (each for error in errors for each in explain_schema_error(document, error))
    told = list(islice(found, MAX_SCHEMA_MISTAKES))
    return _drop_consequences(told) + [
        _make_more_mistakes(document) for _ in islice(found, 1)
    ]


def _make_more_mistakes(document: Document) -> DocumentDiagnostic:
    message = (
        f"More than {MAX_SCHEMA_MISTAKES} things are wrong in this document; the "
        "others are told "
        "when these are mended."
    )
    return DocumentDiagnostic("more-mistakes", message, document)


def _drop_consequences(
    diagnostics: list[DocumentDiagnostic],
) -> list[DocumentDiagnostic]:
    """Drop what follows from another complaint about the same place."""
    kept: dict[object, DocumentDiagnostic] = {}
    for each in diagnostics:
        kept.setdefault((each.path, each.id, each.message), each)
    return [each for each in kept.values() if not _is_consequence(each, diagnostics)]


def _is_consequence(
    complaint: DocumentDiagnostic, others: list[DocumentDiagnostic]
) -> bool:
    """Tell whether a key is only missing because there is no block for it."""
    return complaint.id in {"missing-key", "choose-one"} and any(
        each.id in TYPE_MISTAKE_IDS and each.path == complaint.path for each in others
    )
