"""Load the JSON Schema of each kind, and bundle them for editors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, TypeChecker, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from cloudforest.base.files import find_shipped

DOCUMENT_KINDS = (
    *("Tenant", "Target", "Forest", "Agent"),
    *("Scope", "Mapping", "Job", "Example"),
)
LANGUAGE_VERSION = "0.2"
"""The minor release that last changed the language; every schema carries it."""


def find_duplicates(items: list[Any]) -> Iterator[tuple[int, Any]]:
    """Yield the index and value of each item that occurs earlier in the list."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        form = json.dumps(item, sort_keys=True)
        if form in seen:
            yield index, item
        seen.add(form)


def _validate_pattern(
    validator: Validator, pattern: str, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """Match the whole text: in Python, `$` also matches before a last line feed."""
    del validator, schema
    if isinstance(instance, str) and not re.fullmatch(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _validate_unique_items(
    validator: Validator, is_unique: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """Compare in linear time; the original compares mixed types in pairs."""
    del validator, schema
    if is_unique and isinstance(instance, list) and any(find_duplicates(instance)):
        yield ValidationError("The list holds an item twice.")


def _is_integer(checker: TypeChecker, instance: Any) -> bool:
    """Refuse 500.0 as an integer, as `model` does."""
    del checker
    return isinstance(instance, int) and not isinstance(instance, bool)


_VALIDATOR_CLASS: type[Validator] = extend(  # type: ignore[no-untyped-call]  # an untyped stub
    Draft202012Validator,
    {"pattern": _validate_pattern, "uniqueItems": _validate_unique_items},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


@cache
def load_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of a kind; `tree` is that of any document."""
    path = find_shipped("schemas") / f"{kind.lower()}.schema.json"
    schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


@cache
def make_validator(kind: str) -> Validator:
    return _VALIDATOR_CLASS(load_schema(kind))


def _rebase_reference(written: str, base: str) -> str:
    if written.startswith("#"):
        return base + written.removeprefix("#")
    kinds = {f"{kind.lower()}.schema.json": kind for kind in DOCUMENT_KINDS}
    return f"#/$defs/{kinds[written]}"


def _rebase_references(node: Any, base: str) -> Any:
    """Return a schema whose references work below the JSON pointer `base`."""
    match node:
        case dict():
            return {
                key: _rebase_reference(each, base)
                if key == "$ref"
                else _rebase_references(each, base)
                for key, each in node.items()
            }
        case list():
            return [_rebase_references(each, base) for each in node]
        case _:
            return node


def bundle_schemas() -> dict[str, Any]:
    """Return the schema of any document, with the schemas of all kinds in `$defs`.

    It needs no other file and no network. References are JSON pointers, as not every
    editor follows an embedded `$id`.
    """
    tree = _rebase_references(load_schema("tree"), "")
    kinds = {
        kind: _rebase_references(load_schema(kind), f"#/$defs/{kind}")
        for kind in DOCUMENT_KINDS
    }
    for each in kinds.values():
        del each["$id"], each["$schema"], each["x-language-version"]
    return {**tree, "$defs": kinds}
