"""`example add` of real people and groups, and `validate` of the written examples."""

from __future__ import annotations

from tests.support.installed import Installed
from tests.support.lab import Lab

MAPPING = """\
extends: ad-user-to-scim
attributeMappings:
  enterprise:manager: '[manager]'
  userType: {source: 'CStr(Now())', flowType: ObjectAddOnly}
  nickName: {source: 'RandomString(8, 1, 1, 1, 1)', flowType: ObjectAddOnly}
  locale: {source: '[info]', sensitive: true}
  ims: '[otherTelephone]'
  enterprise:division: 'StringFromSid([objectSid])'
  enterprise:organization: 'ConvertToBase64([description])'
  title: {template: "{{ title | default('') | upper }}", defaultValue: none}
"""


def added(lab: Lab, name: str, *more: str) -> str:
    """Write an example into the tree; return its text."""
    file = lab.tree / "examples" / f"{name}.yaml"
    who = lab.guid(f"CN={name},{lab.unit}")
    ran = lab.service.installed(
        "example", "add", lab.name, who, "--name", name, "--out", str(file), *more
    )
    assert ran.code == 0, ran
    return file.read_text(encoding="utf-8")


def test_example_of_a_real_object_passes(lab: Lab) -> None:
    lab.declare(mapping=MAPPING)
    boss = lab.person("boss")
    anna = lab.person(
        "anna",
        title="Dr: é",
        manager=boss,
        info="canary",
        otherTelephone=["+1 2", "007", "#3"],
        description='- a "b"\\c',
        mail="anna@contoso.com",
        telephoneNumber="007",
    )
    lab.group("team", anna, boss)
    lab.cycle()

    text = added(lab, "anna", "--replace", "mail=somebody@example.com")
    team = added(lab, "team")
    added(lab, "boss")

    assert "now: " in text
    assert "canary" not in text
    assert "nickName" not in text
    assert "anna@contoso.com" not in text
    assert "    telephoneNumber: " in text
    assert "now: " not in team
    checked = Installed(lab.tree)("validate", "--format", "json")
    assert checked.json["diagnostics"] == [], checked
    assert checked.code == 0
    assert len(list((lab.tree / "examples").iterdir())) == 3


def test_misspelt_replacement_is_refused(lab: Lab) -> None:
    lab.declare(mapping=MAPPING)
    lab.person("anna", mail="anna@contoso.com")
    lab.cycle()
    who = lab.guid(f"CN=anna,{lab.unit}")
    ran = lab.service.installed(
        "example", "add", lab.name, who, "--replace", "mial=somebody@example.com"
    )
    assert ran.code == 1, ran
    assert 'reads "mial"' in ran.err
    assert 'Did you mean "mail"?' in ran.err


def test_example_runs_against_the_current_mapping(lab: Lab) -> None:
    lab.declare(scope=lab.staff)
    lab.person("anna", title="Clerk", employeeType="staff")
    lab.cycle()

    text = added(lab, "anna")
    assert "# scope:" in text
    assert "Clerk" in text
    file = lab.tree / "tree.yaml"
    changed = "extends: ad-user-to-scim\nattributeMappings: {title: 'ToUpper([title])'}"
    tree = file.read_text(encoding="utf-8")
    file.write_text(tree.replace("extends: ad-user-to-scim", changed, 1))
    checked = Installed(lab.tree)("validate", "--format", "json")

    assert checked.code == 1
    (only,) = checked.json["diagnostics"]
    assert (only["id"], only["file"]) == ("example-differs", "examples/anna.yaml")
    assert '"CLERK"' in only["message"]
