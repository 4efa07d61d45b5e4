"""Data that is not a schema of Graph."""

from __future__ import annotations

import pytest

from cloudforest.base.errors import Misconfigured
from cloudforest.graph.schema import parse_schema


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b"\xff\xfe",
        b'{"synchronizationRules": {}}',
        b'{"synchronizationRules": [{"objectMappings": [1]}]}',
        b'{"synchronizationRules": [{"name": 1}]}',
        b'{"synchronizationRules": [{"objectMappings": [{"flowTypes": []}]}]}',
        b'{"synchronizationRules":' + b"[" * 100_000,
    ],
)
def test_data_that_is_not_a_schema_is_refused(data):
    with pytest.raises(Misconfigured, match="is not a synchronizationSchema"):
        parse_schema(data, "x.json")
