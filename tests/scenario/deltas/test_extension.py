"""A custom extension of the target, from the directory to a third-party service."""

from __future__ import annotations

from typing import Any

from tests.support.lab import Lab
from tests.support.sent import cleared, new, patch, these

URN = "urn:contoso:2.0:User"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
DESK = f'{URN}:desks[type eq "work"]'
TARGET = f""", extensions: {{'{URN}': {{
  badge: integer, cleared: boolean, rate: decimal, hired: dateTime, seal: binary,
  motto: string, mentor: reference, office.room: string, office.floor: integer,
  skills: {{type: string, multiValued: true}},
  floors: {{type: integer, multiValued: true}},
  desks.number: integer, desks.label: string}}}}"""
MAPPING = f"""\
extends: ad-user-to-scim
attributeMappings:
  enterprise:employeeNumber: null
  enterprise:department: null
  {URN}:badge: {{source: '[employeeID]', matchingPriority: 3}}
  {URN}:cleared: 'Switch([employeeType], , "staff", "True", "guest", "False")'
  {URN}:rate: '[division]'
  {URN}:hired: '[info]'
  {URN}:seal: 'ConvertToBase64([department])'
  {URN}:motto: {{template: "{{{{ company | default('') | upper }}}}"}}
  {URN}:mentor: '[assistant]'
  {URN}:skills: '[otherTelephone]'
  {URN}:floors: 'Split([postOfficeBox], ",")'
  {URN}:office.room: '[physicalDeliveryOfficeName]'
  {URN}:office.floor: '[postalCode]'
  '{DESK}.number': '[facsimileTelephoneNumber]'
  '{DESK}.label': '[l]'
"""
FULL = {
    "employeeID": "007",
    "employeeType": "staff",
    "division": "0.5",
    "info": "20261123080000.0Z",
    "department": "x",
    "company": "Zoë",
    "otherTelephone": ["chess", "go"],
    "postOfficeBox": "1,2",
    "physicalDeliveryOfficeName": "A 1",
    "postalCode": "0",
    "facsimileTelephoneNumber": "7",
    "l": "door",
}


def held(lab: Lab, name: str) -> dict[str, Any]:
    """Return the extension as the service stores it, with sorted lists."""
    extension = lab.users()[name].get(URN, {})
    return {
        key: sorted(each, key=str) if isinstance(each, list) else each
        for key, each in extension.items()
    }


def test_extension_is_written_changed_and_cleared(lab: Lab) -> None:
    lab.declare(mapping=MAPPING, target=TARGET)
    boss = lab.person("boss")
    anna = lab.person("anna", assistant=boss, **FULL)
    lab.cycle()

    mentor = lab.users()["boss"]["id"]
    whole = {
        "badge": 7,
        "cleared": True,
        "rate": 0.5,
        "hired": "2026-11-23T08:00:00Z",
        "seal": "eAA=",
        "motto": "ZOË",
        "mentor": mentor,
        "skills": ["chess", "go"],
        "floors": [1, 2],
        "office": {"room": "A 1", "floor": 0},
        "desks": [{"type": "work", "number": 7, "label": "door"}],
    }
    assert held(lab, "anna") == whole
    assert held(lab, "boss") == {}
    assert URN in lab.users()["anna"]["schemas"]
    lab.settled()

    lab.modify(
        anna,
        employeeID=["0"],
        employeeType=["guest"],
        otherTelephone=["go", "draughts"],
        postOfficeBox=["3"],
        physicalDeliveryOfficeName=["B 2"],
        l=["window"],
    )
    (sent,) = lab.cycle()
    assert {each["path"] for each in sent.body} == {
        *(f"{URN}:{each}" for each in ("badge", "cleared", "skills", "floors")),
        f"{URN}:office.room",
        f"{DESK}.label",
    }
    later = {
        "badge": 0,
        "cleared": False,
        "skills": ["draughts", "go"],
        "floors": [3],
        "office": {"room": "B 2", "floor": 0},
        "desks": [{"type": "work", "number": 7, "label": "window"}],
    }
    assert held(lab, "anna") == whole | later
    lab.settled()

    lab.modify(anna, postalCode=[], facsimileTelephoneNumber=[])
    assert lab.cycle() == [
        patch("User", "anna", cleared(f"{URN}:office.floor"), cleared(f"{DESK}.number"))
    ]
    lab.modify(anna, assistant=[], **{each: [] for each in FULL})
    lab.cycle()
    assert held(lab, "anna") == {}
    lab.settled()
    lab.modify(anna, employeeID=["8"], assistant=[boss], l=["gate"])
    assert lab.cycle() == these(
        patch("User", "anna", new(f"{URN}:mentor", "boss")),
        patch(
            "User",
            "anna",
            new(f"{URN}:badge", 8),
            new(f"{URN}:desks", [{"type": "work", "label": "gate"}]),
        ),
    )
    assert held(lab, "anna") == {
        "badge": 8,
        "mentor": mentor,
        "desks": [{"type": "work", "label": "gate"}],
    }
    lab.settled()


def test_person_is_matched_by_a_number_in_an_extension(lab: Lab) -> None:
    lab.declare(mapping=MAPPING, target=TARGET)
    numbered = {"userName": "old", "schemas": [CORE, URN], URN: {"badge": 7}}
    status, old = lab.target.request("POST", "/Users", numbered)
    assert status == 201, old
    other = {"userName": "other", "schemas": [CORE, URN], URN: {"badge": 70}}
    lab.target.request("POST", "/Users", other)
    lab.person("anna", employeeID="007")

    lab.cycle()

    assert lab.last["counts"]["adopt"] == 1
    users = lab.users()
    assert (users["anna"]["id"], users["anna"][URN]) == (old["id"], {"badge": 7})
    assert set(users) == {"anna", "other"}
