"""SCIM paths, resources and patches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudforest.model.effects import Change
from cloudforest.program.faults import MappingFault
from cloudforest.program.scim.resource import (
    assemble_resource,
    extract_values,
    make_patch_operations,
)

URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
WORK = 'emails[type eq "work"].value'
HOME = 'emails[type eq "home"].value'
CITY = 'addresses[type eq "work"].locality'
STREET = 'addresses[type eq "work"].streetAddress'


FLAT = {
    "userName": "zoe",
    "active": False,
    "name.givenName": "Zoë",
    "name.familyName": "Ångström",
    WORK: "zoe@contoso.com",
    'emails[type eq "work"].primary': True,
    HOME: "zoe@home.example",
    "roles": ["a", "b"],
    f"{URN}:department": "Sales",
    f"{URN}:manager": "42",
    "urn:contoso:2.0:User:badge": 7,
}
NESTED = {
    "schemas": [
        "urn:ietf:params:scim:schemas:core:2.0:User",
        URN,
        "urn:contoso:2.0:User",
    ],
    "userName": "zoe",
    "active": False,
    "name": {"givenName": "Zoë", "familyName": "Ångström"},
    "emails": [
        {"type": "work", "value": "zoe@contoso.com", "primary": True},
        {"type": "home", "value": "zoe@home.example"},
    ],
    "roles": [{"value": "a"}, {"value": "b"}],
    URN: {"department": "Sales", "manager": {"value": "42"}},
    "urn:contoso:2.0:User": {"badge": 7},
}


def test_resource_is_assembled_without_nulls():
    assert assemble_resource("User", {**FLAT, "title": None}) == NESTED


def test_custom_resource_types_have_a_custom_schema():
    assert assemble_resource("Group", {})["schemas"] == [
        "urn:ietf:params:scim:schemas:core:2.0:Group"
    ]
    assert assemble_resource("Contact", {})["schemas"] == [
        "urn:cloudforest:2.0:Contact"
    ]


def test_attribute_mapped_whole_and_in_part_is_a_fault():
    with pytest.raises(MappingFault, match="sets all of"):
        assemble_resource("User", {"name.givenName": "Zoë", "name": "Zoë Ångström"})


def test_values_are_extracted_without_case():
    resource = {
        "USERNAME": "zoe",
        "Emails": [{"Type": "Work", "VALUE": "z@x"}, "odd"],
        URN.upper(): {"Manager": {"value": "42", "$ref": "…"}},
        "title": None,
        "roles": [],
    }
    paths = [
        "userName",
        WORK,
        HOME,
        f"{URN}:manager",
        "title",
        "roles",
        "name.givenName",
    ]
    assert extract_values(resource, paths) == {
        "userName": "zoe",
        WORK: "z@x",
        f"{URN}:manager": "42",
    }


def test_malformed_resources_are_tolerated():
    resource = {URN: {"manager": "42"}, "roles": ["a"], "name": "Zoë", "emails": "z@x"}
    paths = [f"{URN}:manager", "roles", "name.givenName", WORK]
    assert extract_values(resource, paths) == {f"{URN}:manager": "42", "roles": ["a"]}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
PATHS = st.sampled_from([*FLAT, "title", "displayName", CITY, STREET])


def value_at(path):
    return st.lists(TEXTS, min_size=1) if path == "roles" else TEXTS | st.booleans()


FLATS = st.lists(PATHS, unique=True).flatmap(
    lambda paths: st.fixed_dictionaries({path: value_at(path) for path in paths})
)


@given(FLATS)
def test_assembled_values_can_be_extracted(flat):
    assert extract_values(assemble_resource("User", flat), flat) == flat


def change(path, before, after):
    return Change(path=path, before=before, after=after)


@pytest.mark.parametrize(
    ("changes", "operations"),
    [
        ([], []),
        ([change("title", "a", "a"), change("title", None, None)], []),
        (
            [change("title", None, "a"), change("name.givenName", "a", "b")],
            [
                {"op": "add", "path": "title", "value": "a"},
                {"op": "replace", "path": "name.givenName", "value": "b"},
            ],
        ),
        (
            [change("active", before=True, after=False)],
            [{"op": "replace", "path": "active", "value": False}],
        ),
        ([change("title", "a", None)], [{"op": "remove", "path": "title"}]),
        (
            [change("manager", "1", "2")],
            [{"op": "replace", "path": f"{URN}:manager", "value": {"value": "2"}}],
        ),
        ([change("manager", "1", None)], [{"op": "remove", "path": f"{URN}:manager"}]),
        (
            [change("roles", None, ["a"])],
            [{"op": "replace", "path": "roles", "value": [{"value": "a"}]}],
        ),
        ([change(WORK, "a", "b")], [{"op": "replace", "path": WORK, "value": "b"}]),
        (
            [change(WORK, "a", None)],
            [{"op": "remove", "path": 'emails[type eq "work"]'}],
        ),
        (
            [
                change(WORK, None, "a"),
                change(HOME, None, "b"),
                change("title", None, "t"),
            ],
            [
                {"op": "add", "path": "title", "value": "t"},
                {
                    "op": "add",
                    "path": "emails",
                    "value": [
                        {"type": "work", "value": "a"},
                        {"type": "home", "value": "b"},
                    ],
                },
            ],
        ),
        (
            [change(CITY, None, "Bonn"), change(STREET, None, None)],
            [
                {
                    "op": "add",
                    "path": "addresses",
                    "value": [{"type": "work", "locality": "Bonn"}],
                }
            ],
        ),
        (
            [change(CITY, None, "Bonn"), change(STREET, "A 1", "A 1")],
            [{"op": "add", "path": CITY, "value": "Bonn"}],
        ),
        ([change(CITY, "Bonn", None)], [{"op": "remove", "path": CITY}]),
        (
            [
                Change(path=CITY, before="Bonn", how="last"),
                Change(path=STREET, before="A 1", how="last"),
            ],
            [{"op": "remove", "path": 'addresses[type eq "work"]'}],
        ),
        ([change(WORK, None, None)], []),
        (
            [
                change(WORK, "a", None),
                change('emails[type eq "work"].display', "a", "b"),
            ],
            [
                {"op": "remove", "path": WORK},
                {
                    "op": "replace",
                    "path": 'emails[type eq "work"].display',
                    "value": "b",
                },
            ],
        ),
    ],
)
def test_patch_contains_only_changes(changes, operations):
    assert make_patch_operations(changes) == operations
