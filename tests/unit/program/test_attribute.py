"""Attribute programs: from a source row to values, references and changes."""

from __future__ import annotations

import pytest

from cloudforest.model.program import AttributeProgram, Deprovision, Rule
from cloudforest.model.provisioning import Change, SourceRow
from cloudforest.program.attribute import changes, compile_program
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.faults import MappingFault

CITY = 'addresses[type eq "work"].locality'
STREET = 'addresses[type eq "work"].streetAddress'
ROW = SourceRow(
    id="g1",
    type="user",
    dn="CN=Zoë,DC=x",
    parent=None,
    anchor="a1",
    attributes={
        "sn": ("Ångström",),
        "useraccountcontrol": ("514",),
        "othermobile": ("1", "2"),
        "manager": ("G2",),
        "cleared": (),
    },
)


def rule(target, text, **options):
    return Rule(target=target, expression=parse_expression(text), text=text, **options)


def mapped(*rules):
    program = AttributeProgram(
        mapping="ad-user",
        source="user",
        target="User",
        rules=rules,
        reads=(),
        deprovision=Deprovision(out_of_scope="disable", deleted="disable"),
    )
    return compile_program(program)(ROW)


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
def test_a_value_fits_its_target(target, text, value):
    result = mapped(rule(target, text)).values
    assert result == {target: value}
    assert type(result[target]) is type(value)


def test_a_multi_valued_rule_keeps_all_values_but_empty_ones():
    several = rule("roles", "[otherMobile]", multi=True)
    blank = rule("photos", 'Split(",", ",")', multi=True)
    single = rule("entitlements", "[sn]", multi=True)
    assert mapped(several, blank, single).values == {
        "roles": ["1", "2"],
        "photos": None,
        "entitlements": ["Ångström"],
    }


def test_references_are_guids_and_may_be_none():
    there = rule("manager", "[manager]", reference=True)
    missing = rule("secretary", "[assistant]", reference=True)
    desired = mapped(there, missing)
    assert desired.references == {"manager": ("g2",), "secretary": ()}
    assert desired.values == {}


@pytest.mark.parametrize(
    ("target", "text"), [("active", "[sn]"), ("title", "Left([sn], [sn])")]
)
def test_a_rule_that_fails_names_its_path_and_no_value(target, text):
    with pytest.raises(MappingFault) as caught:
        mapped(rule("userName", "[sn]"), rule(target, text))
    assert caught.value.path == target
    assert "Ångström" not in caught.value.reason
    assert caught.value.reason.endswith(".")


def difference(before, desired, *rules, creating=False):
    found = changes(before, desired, rules, creating=creating)
    return [(each.path, each.before, each.after) for each in found]


TITLE = rule("title", "[title]")


def test_a_create_holds_what_is_there_and_the_defaults_of_what_is_not():
    rules = [
        TITLE,
        rule("name.familyName", "[sn]"),
        rule("active", "[x]", default_value="True"),
        rule("nickName", "[x]", default_value="none"),
        rule("displayName", "[x]", default_value="unused", flow_type="ObjectAddOnly"),
        rule("manager", "[manager]", reference=True),
    ]
    desired = {"title": None, "name.familyName": "Å", "displayName": "Zoë"}
    assert difference({}, desired, *rules, creating=True) == [
        ("name.familyName", None, "Å"),
        ("active", None, True),
        ("nickName", None, "none"),
        ("displayName", None, "Zoë"),
    ]


def test_a_default_that_does_not_fit_is_a_mapping_fault():
    broken = rule("active", "[x]", default_value="perhaps")
    with pytest.raises(MappingFault, match="active"):
        changes({}, {}, [broken], creating=True)


def test_nothing_changes_where_nothing_changed():
    roles = rule("roles", "[x]", multi=True)
    before = {"title": "a", "roles": ["1", "2"]}
    assert difference(before, {"title": "a", "roles": ["2", "1"]}, TITLE, roles) == []


def test_a_value_that_we_wrote_is_cleared_unless_the_rule_keeps_it():
    keep = rule("title", "[title]", when_null="keep", default_value="x")
    assert difference({"title": "a"}, {"title": None}, TITLE) == [("title", "a", None)]
    assert difference({"title": "a"}, {"title": None}, keep) == []
    assert difference({}, {"title": None}, TITLE) == []


@pytest.mark.parametrize(
    ("flow", "before", "wanted", "after"),
    [
        ("ObjectAddOnly", None, "b", None),
        ("ObjectAddOnly", "a", "b", None),
        ("AttributeAddOnly", None, "b", "b"),
        ("AttributeAddOnly", "a", "b", None),
        ("ValueAddOnly", "a", None, None),
        ("MultiValueAddOnly", "a", "b", None),
        ("MultiValueAddOnly", None, "b", "b"),
    ],
)
def test_a_rule_that_only_adds_changes_nothing_that_is_there(
    flow, before, wanted, after
):
    one = rule("title", "[title]", flow_type=flow)
    held = {} if before is None else {"title": before}
    expected = [] if after is None else [("title", before, after)]
    assert difference(held, {"title": wanted}, one) == expected


def test_a_rule_that_only_adds_values_keeps_the_others():
    roles = rule("roles", "[x]", multi=True, flow_type="MultiValueAddOnly")
    added = difference({"roles": ["a"]}, {"roles": ["b", "a"]}, roles)
    assert added == [("roles", ["a"], ["a", "b"])]
    assert difference({"roles": ["a"]}, {"roles": None}, roles) == []
    assert difference({}, {"roles": ["b"]}, roles) == [("roles", None, ["b"])]


def test_a_new_part_of_an_address_that_is_there_comes_with_a_witness():
    rules = [rule(CITY, "[l]"), rule(STREET, "[street]")]
    before = {STREET: "A 1", "title": "x"}
    made = changes(before, {CITY: "Bonn", STREET: "A 1"}, rules, creating=False)
    assert made == (
        Change(path=CITY, before=None, after="Bonn"),
        Change(path=STREET, before="A 1", after="A 1"),
    )
    whole = {CITY: "Bonn", STREET: "A 1"}
    assert difference({"title": "x"}, whole, *rules) == [
        (CITY, None, "Bonn"),
        (STREET, None, "A 1"),
    ]
    assert difference({STREET: "A 1"}, {CITY: "Bonn", STREET: "B 2"}, *rules) == [
        (CITY, None, "Bonn"),
        (STREET, "A 1", "B 2"),
    ]
