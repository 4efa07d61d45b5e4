"""Flow rules and target paths: requests to the target, and its state afterwards."""

from __future__ import annotations

from tests.support.lab import Lab
from tests.support.sent import MANAGER, change, new, patch

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


def test_target_receives_paths_and_flow_rules_unchanged(lab: Lab) -> None:
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


ADDING = """\
extends: ad-user-to-scim
attributeMappings:
  roles: {source: '[otherTelephone]', flowType: MultiValueAddOnly}
  locale: {constant: de-DE}
  userType: {source: '[employeeID]', defaultValue: Guest}
  nickName: {source: '[info]', flowType: ObjectAddOnly}
  title: {source: '[title]', flowType: ValueAddOnly}
  timezone: {source: '[comment]', flowType: ValueAddOnly}
  'addresses[type eq "work"].locality': {source: '[l]', flowType: AttributeAddOnly}
  'ims[type eq "xmpp"].value': {source: '[ipPhone]', flowType: AttributeAddOnly}
  enterprise:manager: {source: '[manager]', exportMissingReferences: true}
"""


def test_adopted_user_keeps_add_only_values_and_gets_no_default(lab: Lab) -> None:
    lab.declare(mapping=ADDING)
    theirs = {
        **STRANGER,
        "userName": f"anna@{lab.name}.contoso.com",
        "title": "Theirs",
        "roles": [{"value": "theirs"}],
        "addresses": [{"type": "home", "locality": "Rom"}],
        "displayName": "Theirs",
        "preferredLanguage": "it",
    }
    _, resource = lab.target.request("POST", "/Users", theirs)
    anna = lab.person(
        "anna",
        otherTelephone=["ours"],
        info="nick",
        title="Ours",
        comment="UTC",
        l="Bonn",
        ipPhone="anna@im",
    )

    lab.cycle()

    held = lab.users()["anna"]
    assert (lab.last["counts"]["adopt"], held["id"]) == (1, resource["id"])
    assert sorted(each["value"] for each in held["roles"]) == ["ours", "theirs"]
    assert (held["title"], held["timezone"]) == ("Theirs", "UTC")
    assert "nickName" not in held
    assert "userType" not in held
    assert [each["type"] for each in held["addresses"]] == ["home"]
    assert held["ims"] == [{"type": "xmpp", "value": "anna@im"}]
    assert (held["locale"], held["displayName"]) == ("de-DE", "Anna")
    assert held["preferredLanguage"] == "it"
    lab.settled()
    lab.modify(anna, otherTelephone=["more"])
    assert lab.cycle() == [patch("User", "anna", new("roles", [{"value": "more"}]))]
    lab.modify(anna, otherTelephone=[])
    assert lab.cycle() == []
    assert len(lab.users()["anna"]["roles"]) == 3


def test_manager_is_sent_by_guid_until_it_has_a_resource(lab: Lab) -> None:
    lab.declare(scope=lab.staff, mapping=ADDING)
    boss = lab.person("boss")
    lab.person("anna", manager=boss, employeeType="staff")
    lab.cycle()

    def manager() -> str:
        extension = lab.users()["anna"][MANAGER.rpartition(":")[0]]
        return str(extension["manager"]["value"])

    assert manager() == lab.guid(boss)
    lab.settled()
    lab.modify(boss, employeeType=["staff"])
    lab.cycle()
    assert manager() == lab.users()["boss"]["id"]
    lab.settled()
