"""The fields of documented JSON outputs, from their JSON Schemas."""

from __future__ import annotations

import json

from scripts.reference.language import SCHEMAS, Fields
from scripts.reference.markdown import table


def blocks() -> dict[str, dict[str, str]]:
    schema = json.loads((SCHEMAS / "plan.schema.json").read_text(encoding="utf-8"))
    rows = [each[::2] for each in Fields(schema).rows(schema)]
    made = table(("field", "meaning"), rows)
    return {"outputs/plan.md": {"plan fields": made}}
