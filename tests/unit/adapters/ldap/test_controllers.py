"""Controller URLs that match the schema can be used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cloudforest.adapters.ldap.controllers import _parse_url

ROOT = Path(__file__).parents[4]


def pattern() -> str:
    schema = json.loads((ROOT / "schemas/forest.schema.json").read_text())
    return re.search(r'"(\^ldaps:[^"]*)"', json.dumps(schema))[1].replace("\\\\", "\\")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ldaps://dc1.contoso.com", ("dc1.contoso.com", 636)),
        ("ldaps://dc1.contoso.com/", ("dc1.contoso.com", 636)),
        ("ldaps://127.0.0.1:65535", ("127.0.0.1", 65535)),
        ("ldaps://[fe80::1]:3269", ("fe80::1", 3269)),
    ],
)
def test_valid_controller_url_is_split_into_host_and_port(
    address: str, expected: tuple[str, int]
):
    assert re.search(pattern(), address)
    assert _parse_url(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "ldaps://127.0.0.1:99999",
        "ldaps://dc1:0",
        "ldaps://dc1:",
        "ldaps://dc1:x",
        "ldaps://[::1",
        "ldaps://dc1/dc=x",
        "ldap://dc1",
    ],
)
def test_invalid_controller_url_does_not_match_the_schema(address: str):
    assert not re.search(pattern(), address)
