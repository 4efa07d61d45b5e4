"""Desired values and references of a source object."""

from __future__ import annotations

import pytest
from tests.support.rules import rule

from cloudforest.model.program import AttributeProgram, Deprovision
from cloudforest.model.source import SourceObject
from cloudforest.program.faults import MappingFault
from cloudforest.program.mapping.desired import compile_mapping

ROW = SourceObject(
    object_guid="g1",
    type="user",
    dn="CN=Zoë,DC=x",
    parent=None,
    source_anchor="a1",
    attributes={
        "sn": ("Ångström",),
        "useraccountcontrol": ("514",),
        "othermobile": ("1", "2"),
        "manager": ("G2",),
        "cleared": (),
    },
)


def mapped(*rules):
    program = AttributeProgram(
        mapping="ad-user",
        source="user",
        target="User",
        rules=rules,
        reads=(),
        deprovision=Deprovision(out_of_scope="disable", deleted="disable"),
    )
    return compile_mapping(program)(ROW)


@pytest.mark.parametrize(
    ("target", "text", "value"),
    [
        ("name.familyName", "[sn]", "Ångström"),
        ("title", "[title]", None),
        ("title", "[cleared]", None),
        ("title", 'Join(" ", [title])', None),
        ("title", "BitAnd([userAccountControl], 2)", "2"),
        ("active", "Not(BitAnd([userAccountControl], 2))", False),
        ("active", "1", True),
        ("active", '"FALSE"', False),
        ("active", "[title]", None),
        ('emails[type eq "work"].primary', '"True"', True),
        ("urn:x:2.0:User:bits", "BitAnd([userAccountControl], 2)", 2),
        ("externalId", "[sourceAnchor]", "a1"),
        ("nickName", "[objectGUID]", "g1"),
        ("displayName", "[dn]", "CN=Zoë,DC=x"),
        ("nickName", "[otherMobile]", "1"),
        ("nickName", 'Split(",b", ",")', "b"),
    ],
)
def test_value_is_converted_to_its_target(target, text, value):
    result = mapped(rule(target, text)).values
    assert result == {target: value}
    assert type(result[target]) is type(value)


def test_multi_valued_rule_drops_only_empty_values():
    several = rule("roles", "[otherMobile]", multi=True)
    blank = rule("photos", 'Split(",", ",")', multi=True)
    single = rule("entitlements", "[sn]", multi=True)
    assert mapped(several, blank, single).values == {
        "roles": ["1", "2"],
        "photos": None,
        "entitlements": ["Ångström"],
    }


def test_references_are_guids_or_empty():
    there = rule("manager", "[manager]", reference=True)
    missing = rule("secretary", "[assistant]", reference=True)
    desired = mapped(there, missing)
    assert desired.references == {"manager": ("g2",), "secretary": ()}
    assert desired.values == {}


@pytest.mark.parametrize(
    ("target", "text"), [("active", "[sn]"), ("title", "Left([sn], [sn])")]
)
def test_mapping_fault_names_the_path_but_no_value(target, text):
    with pytest.raises(MappingFault) as caught:
        mapped(rule("userName", "[sn]"), rule(target, text))
    assert caught.value.path == target
    assert "Ångström" not in caught.value.reason
    assert caught.value.reason.endswith(".")


HR = "urn:contoso:2.0:User"


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("string", "BitAnd([userAccountControl], 2)", "2"),
        ("boolean", "BitAnd(1, 1)", True),
        ("integer", "[userAccountControl]", 514),
        ("decimal", '"1.5"', 1.5),
        ("dateTime", '"20261123071500.0Z"', "2026-11-23T07:15:00Z"),
        ("dateTime", 'CDate("2026-11-23T09:15:00+02:00")', "2026-11-23T07:15:00Z"),
        ("binary", '"AAA="', "AAA="),
    ],
)
def test_custom_attribute_has_its_declared_type(type_, text, value):
    path = f"{HR}:x"
    result = mapped(rule(path, text, type=type_)).values[path]
    assert result == value
    assert type(result) is type(value)


def test_custom_attribute_may_keep_all_values():
    several = rule(f"{HR}:bits", "[otherMobile]", type="integer", multi=True)
    assert mapped(several).values == {f"{HR}:bits": [1, 2]}


@pytest.mark.parametrize("type_", ["boolean", "integer", "decimal", "dateTime"])
def test_value_of_the_wrong_type_is_a_mapping_fault(type_):
    with pytest.raises(MappingFault, match=f"{HR}:x"):
        mapped(rule(f"{HR}:x", '"neither"', type=type_))
