"""What the schema lets pass as a controller's address can be used as one."""

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
def test_an_address_is_a_name_and_a_port(address: str, expected: tuple[str, int]):
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
def test_what_is_no_address_is_not_let_pass(address: str):
    assert not re.search(pattern(), address)
