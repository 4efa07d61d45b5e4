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
from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.schemas import KINDS, schema_of, twice, validator_of
from cloudforest.compiler.wording import (
    TYPES,
    closest,
    hint,
    is_url_with_secret,
    kind_of,
    listed,
    named,
    opening,
    shown,
    written,
)

SECRET = "Secret reference"  # noqa: S105 - a schema's title

Explanation = Iterator[Complaint]


def explain(document: Document, error: ValidationError) -> Explanation:
    """Yield the complaints that one schema error stands for. Secrets are not shown."""
    path: DocumentPath = tuple(error.absolute_path)
    yield from EXPLANATIONS[str(error.validator)](document, path, error)


def _block(path: DocumentPath, document: Document) -> str:
    return named(path) if path else f"this {document.kind}"


def _additional(document: Document, path: DocumentPath, error: Any) -> Explanation:
    known = set(error.schema["properties"])
    free = known - set(error.instance)
    for key in sorted(set(error.instance) - known):
        meant = closest(key, free)
        found = meant or closest(key, known)
        next_step = (
            f'did you mean "{found}"?'
            if found
            else f"known here: {listed(sorted(known), most=20)}."
        )
        message = f'The key "{key}" is unknown in {_block(path, document)}; {next_step}'
        where = (*path, key)
        yield Complaint(
            "unknown-key", message, document, where, at_key=True, meant=meant
        )
        free -= {meant}


def _required(document: Document, path: DocumentPath, error: Any) -> Explanation:
    # A key that is needed only sometimes is described where all are.
    schema = error.schema if path else schema_of(document.kind)
    for key in error.validator_value:
        if key in error.instance:
            continue
        message = (
            f'The key "{key}" is missing in {_block(path, document)}; '
            f"add it, for example {_example(schema, key)}."
        )
        yield Complaint("missing-key", message, document, path)


def _first_example(schema: dict[str, Any]) -> str:
    return written(schema["examples"][0]) if "examples" in schema else "the others"


def _example(schema: dict[str, Any], key: str) -> str:
    examples = schema.get("properties", {}).get(key, {}).get("examples", ["…"])
    return f"`{key}: {written(examples[0])}`"


def _type(document: Document, path: DocumentPath, error: Any) -> Explanation:
    if error.schema.get("title") == SECRET and error.instance is not None:
        yield _plain_text(document, path)
        return
    wanted = error.validator_value
    names = [wanted] if isinstance(wanted, str) else wanted
    expected = " or ".join(TYPES[each] for each in names)
    found = kind_of(error.instance)
    like = f"; write it like {_first_example(error.schema)}" if path else ""
    message = f"{opening(named(path))} must be {expected}, not {found}{like}."
    yield Complaint("wrong-type", message, document, path)


def _plain_text(document: Document, path: DocumentPath) -> Complaint:
    message = (
        f"{opening(named(path))} holds a secret in plain text; "
        "write {env: NAME} or {file: PATH}, and change the secret if this was shared."
    )
    return Complaint("plain-text-secret", message, document, path, hidden=True)


def _in_url(document: Document, path: DocumentPath) -> Complaint:
    message = (
        f"{opening(named(path))} is a URL that holds a secret; take it out, refer to "
        "it by {env: NAME} or {file: PATH} where credentials belong, and change the "
        "secret if this was shared."
    )
    return Complaint("plain-text-secret", message, document, path, hidden=True)


def _value(document: Document, path: DocumentPath, error: Any) -> Explanation:
    if is_url_with_secret(error.instance):
        yield _in_url(document, path)
        return
    value = error.validator_value
    choices = value if isinstance(value, list) else [value]
    found = closest(str(error.instance), [str(each) for each in choices])
    next_step = f'did you mean "{found}"?' if found else f"it can be {listed(choices)}."
    message = f"{opening(named(path))} can't be {shown(error.instance)}; "
    yield Complaint("unknown-value", message + next_step, document, path)


def _format(document: Document, path: DocumentPath, error: Any) -> Explanation:
    if is_url_with_secret(error.instance):
        yield _in_url(document, path)
        return
    hidden = error.schema.get("writeOnly")
    value = "this value" if hidden else shown(error.instance)
    message = (
        f"{opening(named(path))} can't be {value}; "
        f"write it like {_first_example(error.schema)}."
    )
    yield Complaint("wrong-format", message, document, path)


def _is_required(document: Document, path: DocumentPath) -> bool:
    """Tell whether the schema needs the key at a path; a list or block in it may go."""
    node: Any = schema_of(document.kind)
    for part in path[:-1]:
        known = node.get("properties", {})
        other = node.get("items" if isinstance(part, int) else "additionalProperties")
        node = known.get(part, other)
        if not isinstance(node, dict):
            return False
    return path[-1] in node.get("required", ())


def _empty(document: Document, path: DocumentPath, error: Any) -> Explanation:
    del error
    needed = _is_required(document, path)
    next_step = "add an entry" if needed else "add an entry or remove the key"
    message = f"{opening(named(path))} is empty; {next_step}."
    yield Complaint("empty-list", message, document, path)


def _twice(document: Document, path: DocumentPath, error: Any) -> Explanation:
    for index, item in twice(error.instance):
        message = (
            f"{opening(shown(item))} is already in the list; remove one of the two."
        )
        yield Complaint("duplicate-item", message, document, (*path, index))


def _range(document: Document, path: DocumentPath, error: Any) -> Explanation:
    bound = "at least" if error.validator == "minimum" else "at most"
    message = (
        f"{opening(named(path))} is {shown(error.instance)}, "
        f"but must be {bound} {error.validator_value}."
    )
    yield Complaint("out-of-range", message, document, path)


def _one_of(document: Document, path: DocumentPath, error: Any) -> Explanation:
    choices = [each["required"][0] for each in error.validator_value]
    message = (
        f"{opening(_block(path, document))} needs exactly one of {listed(choices)}."
    )
    yield Complaint("choose-one", message, document, path)


EXPLANATIONS: dict[str, Callable[[Document, DocumentPath, Any], Explanation]] = {
    "additionalProperties": _additional,
    "required": _required,
    "type": _type,
    "enum": _value,
    "const": _value,
    "pattern": _format,
    "minLength": _format,
    "minItems": _empty,
    "minProperties": _empty,
    "uniqueItems": _twice,
    "minimum": _range,
    "maximum": _range,
    "oneOf": _one_of,
}


Renamed = Mapping[DocumentPath, str]


def renamed(document: Document, misspelt: Iterable[Complaint]) -> Document:
    """Return it with the keys that misspelt ones stand for; places stay what they are.

    Each of `misspelt` has a `meant`.
    """
    names = {each.path: str(each.meant) for each in misspelt}
    return _rewritten(document, names, frozenset())


def without(document: Document, wrong: Iterable[Complaint]) -> Document:
    """Return it without the parts that are wrong."""
    return _rewritten(document, {}, frozenset(each.path for each in wrong))


def _rewritten(
    document: Document, names: Renamed, left_out: frozenset[DocumentPath]
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
    return Document(content, document.places.moved(moved), document.sound)


SORTS = {"wrong-type", "plain-text-secret"}
MOST = 100
"""Mistakes told of one document: a thousand are one, such as a file of another tool."""


def check(document: Document) -> list[Complaint]:
    """Return what is wrong with the shape of a document, each mistake once.

    What is missing or wrong beside a misspelt key is what would be if it were right.
    """
    if "kind" not in document.content:
        message = 'The key "kind" is missing; '
        return [Complaint("missing-key", message + hint("", KINDS), document)]
    kind = document.content["kind"]
    if kind not in KINDS:
        message = f"{opening(shown(kind))} is not a kind; {hint(str(kind), KINDS)}"
        return [Complaint("unknown-kind", message, document, ("kind",))]
    told = _told(document)
    misspelt = _misspelt(told)
    if not misspelt:
        return told
    return misspelt + check(renamed(document, misspelt))


def as_meant(document: Document) -> Document:
    """Return a document with the keys that its misspelt ones stand for."""
    while document.kind in KINDS and (misspelt := _misspelt(_told(document))):
        document = renamed(document, misspelt)
    return document


def sound_part(document: Document) -> Document | None:
    """Return a document without what is wrong; None if that is a part it needs."""
    document = as_meant(document)
    if document.kind not in KINDS:
        return None
    while told := _told(document):
        if not all(each.path for each in told):
            return None
        document = without(document, told)
    return document


def _misspelt(told: list[Complaint]) -> list[Complaint]:
    more = any(each.id == "more-mistakes" for each in told)
    return [] if more else [each for each in told if each.meant is not None]


def _told(document: Document) -> list[Complaint]:
    errors = validator_of(document.content["kind"]).iter_errors(document.content)
    found = (each for error in errors for each in explain(document, error))
    told = list(islice(found, MOST))
    return _reduced(told) + [_more(document) for _ in islice(found, 1)]


def _more(document: Document) -> Complaint:
    message = (
        f"More than {MOST} things are wrong in this document; the others are told "
        "when these are mended."
    )
    return Complaint("more-mistakes", message, document)


def _reduced(complaints: list[Complaint]) -> list[Complaint]:
    """Drop what follows from another complaint about the same place."""
    kept: dict[object, Complaint] = {}
    for each in complaints:
        kept.setdefault((each.path, each.id, each.message), each)
    return [each for each in kept.values() if not _follows(each, complaints)]


def _follows(complaint: Complaint, others: list[Complaint]) -> bool:
    """Tell whether a key is only missing because there is no block for it."""
    return complaint.id in {"missing-key", "choose-one"} and any(
        each.id in SORTS and each.path == complaint.path for each in others
    )
