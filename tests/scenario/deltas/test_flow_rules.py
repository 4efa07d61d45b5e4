"""Flow rules and target paths: what the target is sent, and what it holds then."""

from __future__ import annotations

from tests.scenario.deltas.lab import Lab
from tests.scenario.deltas.sent import MANAGER, change, patch

MAPPING = """\
extends: ad-user-to-scim
attributeMappings:
  'emails[type eq "home"].value': {source: '[wWWHomePage]', flowType: ValueAddOnly}
  'addresses[type eq "work"].locality': '[l]'
  'addresses[type eq "work"].streetAddress': '[streetAddress]'
  nickName: {source: 'RandomString(8, 1, 1, 1, 1, )', flowType: ObjectAddOnly}
  userType: {source: '[employeeType]', defaultValue: Guest}
  title: {template: "{{ title | default('') | upper }}", flowBehavior: FlowAlways}
  locale:
    source: SelectUniqueValue([preferredLanguage], "de-DE", "fr-FR")
    flowType: ObjectAddOnly
  enterprise:costCenter: {source: '[division]', whenNull: keep}
"""
STRANGER = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": "stranger@elsewhere.com",
}


def test_paths_and_flow_rules_reach_the_target_as_they_are_written(lab: Lab) -> None:
    lab.declare(mapping=MAPPING)
    lab.target.request("POST", "/Users", {**STRANGER, "locale": "en-GB"})
    boss = lab.person("boss", preferredLanguage="en-GB")
    anna = lab.person(
        "anna",
        mail="anna@contoso.com",
        wWWHomePage="anna@home.example",
        l="Bonn",
        streetAddress="A 1",
        title="Engineer",
        division="CC-7",
        preferredLanguage="en-GB",
        manager=boss,
    )
    lab.cycle()
    held = lab.users()["anna"]
    drawn = held["nickName"]
    assert len(drawn) == 8
    chosen = {lab.users()[each]["locale"] for each in ("boss", "anna")}
    assert chosen == {"de-DE", "fr-FR"}
    assert (held["userType"], held["title"]) == ("Guest", "ENGINEER")
    assert {each["type"]: each["value"] for each in held["emails"]} == {
        "work": "anna@contoso.com",
        "home": "anna@home.example",
    }
    (address,) = held["addresses"]
    assert (address["locality"], address["streetAddress"]) == ("Bonn", "A 1")
    extension = held[MANAGER.rpartition(":")[0]]
    assert extension["costCenter"] == "CC-7"
    assert extension["manager"]["value"] == lab.users()["boss"]["id"]

    lab.modify(anna, wWWHomePage=["other@home.example"], division=[], l=["Ulm"])
    place = 'addresses[type eq "work"].locality'
    assert lab.cycle() == [
        patch("User", "anna", change(place, "Ulm"), change("title", "ENGINEER"))
    ]
    lab.modify(anna, employeeType=["staff"], title=["Head"])
    assert lab.cycle() == [
        patch("User", "anna", change("title", "HEAD"), change("userType", "staff"))
    ]
    assert lab.users()["anna"]["nickName"] == drawn
    lab.settled()
