"""The pages of the language, from the JSON Schemas and the small languages' tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.reference.markdown import code, page, table

from cloudforest.program.expressions.catalog import list_functions
from cloudforest.program.expressions.templates import (
    FILTERS,
    MAX_DEPTH,
    MAX_LENGTH,
    MAX_NAMES,
    MAX_VALUE_LENGTH,
    TESTS,
)

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"
KINDS = ("tenant", "target", "forest", "agent", "scope", "mapping", "job", "example")
Row = tuple[str, str, str]
HEAD = ("field", "value", "meaning")
FUNCTIONS = """\
# Functions

The functions of [expressions](expressions.md). Arguments in brackets are optional.
`…` means that the last arguments can repeat. `cloudforest expression functions` prints
the same table. Rules that need more words are in
[How functions behave](function-rules.md), [Dates](dates.md) and
[Regular expressions](regular-expressions.md)."""
NAMES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "array": "list",
    "object": "block",
    "null": "`null`",
}


def pages() -> dict[str, str]:
    made = {f"language/{kind}.md": _kind(kind) for kind in KINDS}
    return {**made, "language/functions.md": _functions()}


def blocks() -> dict[str, dict[str, str]]:
    kinds = [
        (f"[`{schema['title']}`]({kind}.md)", schema["description"])
        for kind in KINDS
        for schema in [_schema(kind)]
    ]
    limits = (
        f"A template has at most {MAX_LENGTH:,} characters, {MAX_DEPTH} levels of"
        f" nesting and {MAX_NAMES} names. A value that it reads or makes has at most"
        f" {MAX_VALUE_LENGTH:,} characters."
    )
    return {
        "language/index.md": {"kinds": table(("kind", "what it declares"), kinds)},
        "language/templates.md": {
            "filters": _listed(FILTERS),
            "tests": _listed(TESTS),
            "limits": limits,
        },
    }


def _schema(kind: str) -> dict[str, Any]:
    text = (SCHEMAS / f"{kind}.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _kind(kind: str) -> str:
    schema = _schema(kind)
    example = f"```yaml\n{_example(schema['title'])}\n```"
    head = (f"# {schema['title']}", schema["description"], example, "## Fields")
    return page(*head, *_tables(schema))


def _tables(schema: dict[str, Any]) -> Iterator[str]:
    """Yield a table of the document's own fields, and one for each block of it."""
    made = Fields(schema)
    names = schema["properties"]
    yield table(HEAD, [made.row(schema, each, each) for each in names])
    for name, node in names.items():
        made.below = f"{name}{_mark(node, schema)}."
        rows = list(made.within(node, name))
        if rows:
            yield f"## {name}"
            yield f"Fields below {code(made.below.removesuffix('.'))}:"
            yield table(HEAD, rows)


def _mark(node: dict[str, Any], root: dict[str, Any]) -> str:
    marks = {mark for _, mark in _inside(node, root)}
    return marks.pop() if len(marks) == 1 else ""


def _example(title: str) -> str:
    """Return a document of this kind from the topologies, without its comments."""
    for path in sorted(ROOT.glob("topologies/*/*.yaml"), reverse=True):
        for document in path.read_text(encoding="utf-8").split("\n---\n"):
            if f"kind: {title}\n" in document:
                return _bare(document)
    message = f"no topology has a {title}"
    raise LookupError(message)


def _bare(document: str) -> str:
    lines = (re.sub(r"(^|\s+)# .*$", "", each) for each in document.splitlines())
    return "\n".join(each for each in lines if each.strip(" #"))


def _functions() -> str:
    rows = [
        (
            code(each.syntax),
            each.gives,
            each.summary + (" Gives another value each time." if each.impure else ""),
        )
        for each in list_functions()
    ]
    return page(FUNCTIONS, table(("function", "gives", "what it does"), rows))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(code(each) for each in sorted(names))


@dataclass
class Fields:
    """The fields of a schema as rows; what several fields share is listed once."""

    root: dict[str, Any]
    below: str = ""
    """What the paths of the rows leave out."""
    listed: dict[str, str] = field(default_factory=dict)
    """By reference: the path below which its fields are listed."""

    def rows(self, node: dict[str, Any], *, prefix: str = "") -> Iterator[Row]:
        """Yield a row for each field, and for each field within."""
        for name, each in node.get("properties", {}).items():
            path = f"{prefix}{name}"
            yield self.row(node, name, path)
            yield from self.within(each, path)

    def row(self, node: dict[str, Any], name: str, path: str) -> Row:
        each = node["properties"][name]
        shape = _resolved(each, self.root)
        value = _value(shape, self.root, required=name in node.get("required", []))
        return code(path.removeprefix(self.below)), value, self.meaning(each, path)

    def meaning(self, node: dict[str, Any], path: str) -> str:
        """Return the description, and an example unless inner fields have theirs."""
        shape = _resolved(node, self.root)
        text = shape.get("description", "")
        known = self.listed.get(node.get("$ref", ""), path)
        if known != path:
            return f"{text} Fields as in {code(known.removeprefix(self.below))}."
        if any(_inside(node, self.root)) or "const" in shape:
            return text
        examples = shape.get("examples", [])[:1]
        shown = [code(json.dumps(each, ensure_ascii=False)) for each in examples]
        return " ".join((text, *(f"Example: {each}" for each in shown)))

    def within(self, node: dict[str, Any], path: str) -> Iterator[Row]:
        """Yield the rows of what a field holds, unless they are listed already."""
        reference = node.get("$ref", path)
        if reference in self.listed:
            return
        self.listed[reference] = path
        for inner, mark in _inside(node, self.root):
            yield from self.rows(inner, prefix=f"{path}{mark}.")


def _value(shape: dict[str, Any], root: dict[str, Any], *, required: bool) -> str:
    words = [_type(shape, root)]
    if required:
        words.append("**required**")
    if "default" in shape:
        words.append(f"default {code(json.dumps(shape['default']))}")
    return ", ".join(each for each in words if each)


def _type(shape: dict[str, Any], root: dict[str, Any]) -> str:
    if "const" in shape:
        return code(shape["const"])
    if "enum" in shape:
        return " · ".join(code(str(each)) for each in shape["enum"])
    if variants := shape.get("oneOf", shape.get("anyOf")):
        found = [_type(_resolved(each, root), root) for each in variants]
        if any(found):
            return " or ".join(dict.fromkeys(each for each in found if each))
    kinds = shape.get("type", "object" if "properties" in shape else "")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return " or ".join(NAMES[each] for each in kinds if each)


def _inside(
    field: dict[str, Any], root: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the schemas of what a field holds, with the mark that its path gets."""
    shape = _resolved(field, root)
    if "properties" in shape:
        yield shape, ""
    for each in shape.get("oneOf", ()):
        if "$ref" in each:
            yield from _inside(each, root)
    for key, mark in (("items", "[]"), ("additionalProperties", ".NAME")):
        if isinstance(inner := shape.get(key), dict):
            for each, deeper in _inside(inner, root):
                yield each, mark + deeper


def _resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref", "")
    if not reference.startswith("#/"):
        return node
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return {**found, **node}
