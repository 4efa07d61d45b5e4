from __future__ import annotations

import pytest
import typer

from cloudforest.cli.explain import parse_lookup
from cloudforest.model.messages import Lookup


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (
            "{3DC0D74E-E95E-4F91-9F41-6C1989ABAE7C}",
            Lookup(by="guid", value="3dc0d74e-e95e-4f91-9f41-6c1989abae7c"),
        ),
        ("CN=A,DC=b", Lookup(by="dn", value="CN=A,DC=b")),
        ("mail=a@b.c", Lookup(by="attribute", attribute="mail", value="a@b.c")),
        ("a@b.c", Lookup(by="attribute", value="a@b.c")),
    ],
)
def test_object_can_be_named_by_guid_dn_or_attribute(typed: str, meant: Lookup):
    assert parse_lookup(typed) == meant


def test_empty_object_name_is_wrong_usage():
    with pytest.raises(typer.BadParameter):
        parse_lookup(" ")
