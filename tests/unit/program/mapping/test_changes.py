"""Changes from what was last written to what is desired."""

from __future__ import annotations

import pytest
from tests.support.rules import rule

from cloudforest.model.effects import Change
from cloudforest.program.faults import MappingFault
from cloudforest.program.mapping.changes import compute_changes, find_flow_always
from cloudforest.program.scim.resource import make_patch_operations

CITY = 'addresses[type eq "work"].locality'
STREET = 'addresses[type eq "work"].streetAddress'


def difference(before, desired, *rules, creating=False):
    found = compute_changes(before, desired, rules, creating=creating)
    return [(each.path, each.before, each.after) for each in found]


TITLE = rule("title", "[title]")


def test_create_uses_defaults_for_nulls():
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


def test_default_of_the_wrong_type_is_a_mapping_fault():
    broken = rule("active", "[x]", default_value="perhaps")
    with pytest.raises(MappingFault, match="active"):
        compute_changes({}, {}, [broken], creating=True)


def test_equal_values_are_not_changes():
    roles = rule("roles", "[x]", multi=True)
    before = {"title": "a", "roles": ["1", "2"]}
    assert difference(before, {"title": "a", "roles": ["2", "1"]}, TITLE, roles) == []


def test_written_value_is_cleared_unless_the_rule_keeps_it():
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
def test_add_only_rule_keeps_existing_values(flow, before, wanted, after):
    one = rule("title", "[title]", flow_type=flow)
    held = {} if before is None else {"title": before}
    expected = [] if after is None else [("title", before, after)]
    assert difference(held, {"title": wanted}, one) == expected


def test_multi_value_add_only_keeps_other_values():
    roles = rule("roles", "[x]", multi=True, flow_type="MultiValueAddOnly")
    added = difference({"roles": ["a"]}, {"roles": ["b", "a"]}, roles)
    assert added == [("roles", ["a"], ["a", "b"])]
    assert difference({"roles": ["a"]}, {"roles": None}, roles) == []
    assert difference({}, {"roles": ["b"]}, roles) == [("roles", None, ["b"])]


def test_new_part_of_an_existing_address_comes_with_an_existence_proof():
    rules = [rule(CITY, "[l]"), rule(STREET, "[street]")]
    before = {STREET: "A 1", "title": "x"}
    changes = compute_changes(
        before, {CITY: "Bonn", STREET: "A 1"}, rules, creating=False
    )
    assert changes == (
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


def test_address_is_removed_with_the_last_part_that_we_wrote():
    rules = [rule(CITY, "[l]"), rule(STREET, "[street]")]
    before = {CITY: "Bonn", STREET: "A 1"}
    one = compute_changes(before, {STREET: "A 1"}, rules, creating=False)
    assert one == (Change(path=CITY, before="Bonn"),)
    assert compute_changes(before, {}, rules, creating=False) == (
        Change(path=CITY, before="Bonn", how="last"),
        Change(path=STREET, before="A 1", how="last"),
    )
    others = {**before, CITY: "Berlin"}
    left = compute_changes(
        {STREET: "A 1"}, {}, rules, creating=False, other_values=others
    )
    assert left == (Change(path=STREET, before="A 1"),)
    moved = compute_changes({CITY: "Bonn"}, {STREET: "A 1"}, rules, creating=False)
    assert [each.how for each in moved] == ["set", "set"]


def test_attribute_add_only_writes_if_the_attribute_is_empty():
    city = rule(CITY, "[l]", flow_type="AttributeAddOnly")
    assert difference({}, {CITY: "Bonn"}, city) == [(CITY, None, "Bonn")]
    assert difference({STREET: "A 1"}, {CITY: "Bonn"}, city) == []
    value = rule(CITY, "[l]", flow_type="ValueAddOnly")
    assert difference(
        {'addresses[type eq "home"].locality': "Ulm"}, {CITY: "Bonn"}, value
    )


def test_written_default_is_not_cleared():
    one = rule("title", "[title]", default_value="none")
    assert difference({"title": "none"}, {"title": None}, one) == []
    assert difference({"title": "a"}, {"title": None}, one) == [("title", "a", None)]


def test_multi_value_add_only_sends_only_new_values():
    roles = rule("roles", "[x]", multi=True, flow_type="MultiValueAddOnly")
    changes = compute_changes(
        {"roles": ["a"]}, {"roles": ["b"]}, [roles], creating=False
    )
    assert make_patch_operations(changes) == [
        {"op": "add", "path": "roles", "value": [{"value": "b"}]}
    ]


def test_flow_always_value_is_sent_along_unchanged():
    always = rule("title", "[title]", flow_behavior="FlowAlways")
    name = rule("nickName", "[x]")
    desired = {"title": "a", "nickName": "n"}
    changes = compute_changes({"title": "a"}, desired, [always, name], creating=False)
    along = find_flow_always(changes, desired, [always, name])
    assert make_patch_operations((*changes, *along)) == [
        {"op": "add", "path": "nickName", "value": "n"},
        {"op": "replace", "path": "title", "value": "a"},
    ]
    assert find_flow_always(changes, {"title": None}, [always]) == ()
