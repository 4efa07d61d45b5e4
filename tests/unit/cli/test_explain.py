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
def test_an_object_is_named_as_people_name_it(typed: str, meant: Lookup):
    assert parse_lookup(typed) == meant


def test_an_object_without_a_name_is_a_mistake_in_the_command():
    with pytest.raises(typer.BadParameter):
        parse_lookup(" ")
