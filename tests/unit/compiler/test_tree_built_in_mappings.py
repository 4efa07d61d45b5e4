"""The built-in mappings, with users and groups of Active Directory."""

from __future__ import annotations

import pytest
from tests.support.trees import registered

from cloudforest.model.source import SourceObject
from cloudforest.program.mapping.desired import DesiredValues, compile_mapping

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
ZOE = {
    "cn": "Zoë O'Neil",
    "displayname": "Zoë O'Neil (Sales)",
    "givenname": "Zoë",
    "sn": "O'Neil",
    "userprincipalname": "zoe@contoso.com",
    "mail": "zoe.oneil@contoso.com",
    "telephonenumber": "+49 30 1",
    "mobile": "+49 170 1",
    "title": "Buyer",
    "department": "Sales",
    "employeenumber": "7",
    "employeeid": "E7",
    "manager": "11111111-1111-4111-8111-111111111111",
    "useraccountcontrol": "512",
}


@pytest.fixture
def desired(tmp_path):
    programs = {
        each.source: compile_mapping(each)
        for each in registered(tmp_path).programs["people"].mappings
    }

    def make(kind: str, **attributes: str | tuple[str, ...]) -> DesiredValues:
        return programs[kind](
            SourceObject(
                object_guid="00000000-0000-4000-8000-000000000001",
                type=kind,
                dn="CN=x,DC=contoso,DC=com",
                parent=None,
                source_anchor="00000000-0000-4000-8000-00000000000a",
                attributes={
                    name: (value,) if isinstance(value, str) else value
                    for name, value in attributes.items()
                },
            )
        )

    return make


def test_person_is_mapped_to_a_user(desired):
    zoe = desired("user", **ZOE)
    assert zoe.values == {
        "externalId": "00000000-0000-4000-8000-00000000000a",
        "userName": "zoe@contoso.com",
        "active": True,
        "name.givenName": "Zoë",
        "name.familyName": "O'Neil",
        "displayName": "Zoë O'Neil (Sales)",
        "title": "Buyer",
        'emails[type eq "work"].value': "zoe.oneil@contoso.com",
        'phoneNumbers[type eq "work"].value': "+49 30 1",
        'phoneNumbers[type eq "mobile"].value': "+49 170 1",
        f"{ENTERPRISE}department": "Sales",
        f"{ENTERPRISE}employeeNumber": "E7",
    }
    assert zoe.references == {f"{ENTERPRISE}manager": (ZOE["manager"],)}


@pytest.mark.parametrize(
    ("flags", "active"), [("512", True), ("514", False), ("66050", False)]
)
def test_disabled_account_is_inactive(desired, flags, active):
    user = desired("user", **{**ZOE, "useraccountcontrol": flags})
    assert user.values["active"] is active


def test_unreadable_flags_leave_active_unset(desired):
    assert desired("user", cn="x").values["active"] is None


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"givenname": "Zoë", "sn": "O'Neil", "cn": "zo"}, "Zoë O'Neil"),
        ({"sn": "O'Neil", "cn": "zo"}, "O'Neil"),
        ({"cn": "zo"}, "zo"),
    ],
)
def test_missing_display_name_falls_back_to_other_names(desired, attributes, name):
    assert desired("user", **attributes).values["displayName"] == name


def test_group_is_mapped_with_members_as_references(desired):
    members = tuple(f"{n:08d}-0000-4000-8000-000000000000" for n in range(3))
    group = desired("group", cn="Sales", member=members)
    assert group.values["displayName"] == "Sales"
    assert group.references == {"members": members}
