"""The `--replace` option of `example add`."""

from __future__ import annotations

import pytest
import typer
from tests.support.trees import STAFF, registered

from cloudforest.base.errors import Refused
from cloudforest.cli.example import parse_replacements, require_read_attributes
from cloudforest.compiler.example_text import (
    find_spellings,
)


def test_replacing_an_attribute_that_nothing_reads_is_refused(tmp_path):
    program = registered(tmp_path, more=STAFF).programs["staff"]
    mapping = next(each for each in program.mappings if each.source == "user")
    known = find_spellings(mapping, program.scope)
    named = ("dn", "objectguid", "employeetype", "givenname", "info")
    require_read_attributes(dict.fromkeys(named, ("x",)), known, "staff")
    with pytest.raises(Refused, match=r'reads "giveName"\. Did you mean "givenName"\?'):
        require_read_attributes({"giveName": ("x",)}, known, "staff")


@pytest.mark.parametrize("pairs", [["dn="], ["dn=CN=a", "DN=CN=b"]])
def test_replacement_of_dn_needs_exactly_one_value(pairs):
    with pytest.raises(typer.BadParameter, match="one dn"):
        parse_replacements(pairs)


def test_replacements_are_pairs_and_can_repeat():
    pairs = ["Title=", "mail=a=b", "otherTelephone=1", "otherTelephone=2"]
    assert parse_replacements(pairs) == {
        "title": (),
        "mail": ("a=b",),
        "othertelephone": ("1", "2"),
    }
    with pytest.raises(typer.BadParameter):
        parse_replacements(["title"])
