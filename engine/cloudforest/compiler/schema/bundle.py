"""All schemas in one, which needs no other file and no network."""

from __future__ import annotations

from typing import Any

from cloudforest.compiler.schema.validators import KINDS, schema_of


def bundled() -> dict[str, Any]:
    """Return the schema of any document, with those of all kinds under `$defs`.

    References are JSON pointers, as not every editor follows an embedded `$id`.
    """
    tree = _moved(schema_of("tree"), "")
    kinds = {kind: _moved(schema_of(kind), f"#/$defs/{kind}") for kind in KINDS}
    for each in kinds.values():
        del each["$id"], each["$schema"]
    return {**tree, "$defs": kinds}


def _moved(node: Any, base: str) -> Any:
    """Return a schema whose references hold where it is put, at `base`."""
    match node:
        case dict():
            return {
                key: _reference(each, base) if key == "$ref" else _moved(each, base)
                for key, each in node.items()
            }
        case list():
            return [_moved(each, base) for each in node]
        case _:
            return node


def _reference(written: str, base: str) -> str:
    if written.startswith("#"):
        return base + written.removeprefix("#")
    kinds = {f"{kind.lower()}.schema.json": kind for kind in KINDS}
    return f"#/$defs/{kinds[written]}"
