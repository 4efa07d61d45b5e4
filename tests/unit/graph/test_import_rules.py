"""Documents imported from a schema of Graph."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from tests.support.graph_schemas import imported

HERE = Path(__file__).parent
AD2AAD = json.loads((HERE / "ad2aad.json").read_text())


def test_wider_scope_says_so_with_every_reason():
    schema = copy.deepcopy(AD2AAD)
    (clauses, *_) = schema["synchronizationRules"][0]["objectMappings"][0]["scope"][
        "groups"
    ]
    for operator, name in (("ISMEMBEROF", "memberOf"), ("&", "flags")):
        operand = {"values": ["x"]}
        clauses["clauses"].append(
            {
                "sourceOperandName": name,
                "operatorName": operator,
                "targetOperand": operand,
            }
        )
    scope, mapping, *_ = imported(schema).split("---\n")[1:]
    assert "kind: Scope" in scope
    assert "# THE SCOPE IS WIDER THAN IN GRAPH for user objects:\n" in scope
    assert "# - memberOf ISMEMBEROF has no equivalent: " in scope
    assert "# - flags & has no equivalent: " in scope
    assert "user:" not in scope
    assert "WIDER" not in mapping


def test_text_in_a_schema_cannot_end_a_comment():
    rule = {"name": "a\nkind: Job", "objectMappings": [{"name": "b\r\nkind: Job"}]}
    text = imported({"synchronizationRules": [rule]})
    assert all(line.startswith("#") for line in text.splitlines() if line)
