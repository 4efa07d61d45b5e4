"""The schema of a plan's JSON, without room for undocumented fields."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

from cloudforest.base.files import find_shipped


def validator() -> Draft202012Validator:
    """Return a validator that refuses fields that the shipped schema does not name."""
    text = (find_shipped("schemas") / "plan.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(_strict(json.loads(text)))


def _strict(schema: Any) -> Any:
    match schema:
        case dict():
            inner = {key: _strict(each) for key, each in schema.items()}
            closed = isinstance(schema.get("properties"), dict)
            return {"additionalProperties": False, **inner} if closed else inner
        case list():
            return [_strict(each) for each in schema]
    return schema
