"""Writes docs/language.md from the JSON Schemas and the table of functions.

`python scripts/language_reference.py > docs/language.md`; a test compares the two.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudforest.program.expressions.catalog import FUNCTIONS
from cloudforest.program.expressions.functions.shape import Function

SCHEMAS = Path(__file__).parents[1] / "schemas"
KINDS = ("tenant", "target", "forest", "agent", "scope", "mapping", "job", "example")
HEAD = """\
# Language reference

Made by `scripts/language_reference.py` from the JSON Schemas and the functions' table.
The rules that a schema can't say are in [diagnostics.md](diagnostics.md).

A tree is a folder; every `*.yaml` and `*.yml` below it is read, names that begin with a
dot excepted. A file may hold several documents, separated by `---`. Unknown keys,
duplicate keys, aliases and empty lists are errors. Paths are relative to the document.
Durations are a number with `s`, `m`, `h` or `d`.
"""
EXPRESSIONS = """\
## Expressions

`[name]` is an attribute of the directory object, all of its values if there are
several; `"text"` is text, with a backslash before a quote or a backslash; numbers may
be negative or hexadecimal (`&HF`); functions nest, and an optional argument may be left
empty. Conditions compare with `=`, `<>`, `>`, `>=`, `<`, `<=`; `&` joins text. Computed
attributes: `[sourceAnchor]`, `[objectGUID]`, `[dn]`. Booleans are the texts `True` and
`False`.

| function | arguments | what it gives |
|---|---|---|
"""


def pages() -> Iterator[str]:
    yield HEAD
    for kind in KINDS:
        schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text())
        yield f"## {schema['title']}\n\n{schema['description']}\n"
        yield "| field | | what it says | example |\n|---|---|---|---|"
        yield from rows(schema, schema, prefix="")
        yield ""
    yield EXPRESSIONS.rstrip()
    for function in sorted(FUNCTIONS.values(), key=lambda each: each.name):
        yield f"| `{function.name}` | {arguments(function)} | {function.summary} |"
    yield ""


def rows(node: dict[str, Any], root: dict[str, Any], *, prefix: str) -> Iterator[str]:
    required = node.get("required", [])
    for name, field in node.get("properties", {}).items():
        path = f"{prefix}{name}"
        need = "required" if name in required else ""
        if "default" in field:
            need = f"default `{json.dumps(field['default'])}`"
        example = json.dumps(field["examples"][0], ensure_ascii=False)
        text = field["description"].replace("|", "\\|")
        yield f"| `{path}` | {need} | {text} | `{example}` |"
        for inner, mark in inside(field, root):
            yield from rows(inner, root, prefix=f"{path}{mark}.")


def inside(
    field: dict[str, Any], root: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the schemas of what a field holds, with the mark that its path gets."""
    shape = resolved(field, root)
    if "properties" in shape:
        yield shape, ""
    if "properties" in resolved(shape.get("items", {}), root):
        yield resolved(shape["items"], root), "[]"


def resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref", "")
    if not reference.startswith("#/"):
        return node
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return {**found, **node}


def arguments(function: Function) -> str:
    if function.maximum is None:
        return f"{function.minimum} or more"
    if function.minimum == function.maximum:
        return str(function.minimum)
    return f"{function.minimum} to {function.maximum}"


def main() -> None:
    sys.stdout.write("\n".join(pages()))


if __name__ == "__main__":
    main()
