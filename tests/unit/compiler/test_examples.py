"""Examples: unit tests of mappings and scopes, as documents."""

from __future__ import annotations

from tests.support.trees import CASES, compiled

MAPPING = """\
kind: Mapping
name: people
extends: ad-user-to-scim
attributeMappings:
  title: {source: "[title]", defaultValue: "-"}
  roles: "[otherTelephone]"
---
kind: Scope
name: staff
organizationalUnits: ["OU=People,DC=contoso,DC=com"]
groups: ["CN=Cloud,DC=contoso,DC=com"]
---
kind: Job
name: staff
domain: contoso.com
target: other
scope: staff
mappings: [people, ad-group-to-scim]
enabled: false
---
kind: Target
name: other
scim: https://scim.example.com
auth: {bearer: {env: SCIM_TOKEN}}
---
"""
ADA = """\
kind: Example
name: ada
mapping: people
scope: staff
object:
  dn: CN=Ada,OU=People,DC=contoso,DC=com
  groups: ["cn=cloud,dc=CONTOSO,dc=com"]
  attributes:
    objectGUID: 6f1c7a52-0c5e-4a0e-8a55-0d7b6f1f2a11
    GivenName: Ada
    userPrincipalName: ada@contoso.com
    userAccountControl: 514
    manager: CN=Grace,OU=People,DC=contoso,DC=com
resource:
  externalId: 6f1c7a52-0c5e-4a0e-8a55-0d7b6f1f2a11
  userName: ada@contoso.com
  active: false
  name.givenName: Ada
  displayName: Ada
  title: "-"
  enterprise:manager: CN=Grace,OU=People,DC=contoso,DC=com
"""


def told(folder, text: str) -> list[str]:
    return [str(each) for each in compiled(folder, more=MAPPING + text).diagnostics]


def test_an_example_that_holds_says_nothing(tmp_path):
    assert told(tmp_path, ADA) == []


def test_an_example_is_not_registered(tmp_path):
    with_it = compiled(tmp_path, more=MAPPING + ADA).registration
    assert with_it == compiled(tmp_path, more=MAPPING).registration


def test_the_line_that_differs_is_the_place(tmp_path):
    text = ADA.replace("  displayName: Ada", "  displayName: Grace")
    line = (MAPPING + text)[: (MAPPING + text).index("Grace\n  title")].count("\n") + 1
    (only,) = told(tmp_path, text)
    assert only.startswith(f"more.yaml:{line}:16: error: ")
    assert 'expects "Grace" in "displayName", and the mapping writes "Ada"' in only


def test_a_changed_mapping_fails_its_examples(tmp_path):
    mapping = MAPPING.replace('"[title]"', '"[department]"').replace('"-"', '"none"')
    diagnostics = compiled(tmp_path, more=mapping + ADA).diagnostics
    assert [each.id for each in diagnostics] == ["example-differs"]


def test_a_value_that_can_not_be_mapped_is_told(tmp_path):
    mapping = MAPPING.replace('"[title]"', '"Mid([title], 0, 1)"')
    text = ADA.replace("    manager:", "    title: [a, b]\n    manager:")
    (only,) = compiled(tmp_path, more=mapping + text).diagnostics
    assert only.id == "example-differs"
    assert "can't map this object: title" in only.message


def test_members_of_a_group_have_no_order(tmp_path):
    text = """\
kind: Example
name: a-group
mapping: ad-group-to-scim
scope: staff
object:
  dn: CN=Cloud,DC=contoso,DC=com
  attributes:
    cn: Cloud
    member: ["CN=Ada,DC=contoso,DC=com", "CN=Bob,DC=contoso,DC=com"]
resource:
  displayName: Cloud
  members: ["CN=Bob,DC=contoso,DC=com", "CN=Ada,DC=contoso,DC=com"]
"""
    assert told(tmp_path, text) == []


def test_what_is_always_excluded_is_a_clause_too(tmp_path):
    text = """\
kind: Example
name: a-machine
mapping: people
scope: staff
object:
  dn: CN=PC1,OU=People,DC=contoso,DC=com
  attributes: {objectClass: [top, person, organizationalPerson, user, computer]}
out: "excluded: computer"
"""
    assert told(tmp_path, text) == []


def test_a_tree_with_another_mistake_is_not_run(tmp_path):
    text = ADA.replace("displayName: Ada", "displayName: Bob")
    ids = [
        each.id
        for each in compiled(
            tmp_path, more=MAPPING + text, bad="kind: Jobb"
        ).diagnostics
    ]
    assert ids == ["unknown-kind"]


def test_an_unknown_mapping_is_an_unknown_reference(tmp_path):
    (only,) = told(tmp_path, ADA.replace("mapping: people", "mapping: poeple"))
    assert 'no Mapping "poeple"' in only


def test_an_object_that_the_mapping_ignores_is_out(tmp_path):
    ignoring = 'Switch([title], [title], "x", IgnoreObjectFlow)'
    mapping = MAPPING.replace('"[title]"', f"'{ignoring}'")
    text = ADA.replace("    manager:", "    title: x\n    manager:")
    (only,) = compiled(tmp_path, more=mapping + text).diagnostics
    assert (only.id, "(object ignored)" in only.message) == ("example-scope", True)
    out = text[: text.index("resource:")] + "out: object ignored\n"
    assert compiled(tmp_path, more=mapping + out).diagnostics == ()


def test_what_the_mapping_ignores_is_not_expected(tmp_path):
    """Not even its default; of unique values the first one is written."""
    mapping = MAPPING.replace(
        '{source: "[title]", defaultValue: "-"}',
        '{source: "IgnoreFlowIfNullOrEmpty([title])", defaultValue: "-"}\n'
        "  nickName:\n"
        "    source: SelectUniqueValue([title], [givenName], [cn])\n"
        "    flowType: ObjectAddOnly",
    )
    ada = ADA.replace('  title: "-"', "  nickName: Ada")
    assert [
        str(each) for each in compiled(tmp_path, more=mapping + ada).diagnostics
    ] == []


DATED = MAPPING.replace(
    '{source: "[title]", defaultValue: "-"}',
    "{source: 'Left(CStr(Now()), 9)', flowType: ObjectAddOnly}",
)
IN_2027 = ADA.replace('  title: "-"', '  title: "2/28/2027"')


def test_an_example_says_what_time_it_is(tmp_path):
    text = IN_2027.replace("object:\n", "now: 2027-02-28T08:00:00Z\nobject:\n", 1)
    assert compiled(tmp_path, more=DATED + text).diagnostics == ()
    other = text.replace("now: 2027", "now: 2028")
    (only,) = compiled(tmp_path, more=DATED + other).diagnostics
    assert 'the mapping writes "2/28/2028"' in only.message


def test_an_example_without_a_moment_is_told_to_name_one(tmp_path):
    (only,) = compiled(tmp_path, more=DATED + IN_2027).diagnostics
    assert (only.id, "`now:`" in only.message) == ("example-differs", True)


def test_a_day_that_no_calendar_has_is_told(tmp_path):
    text = IN_2027.replace("object:\n", "now: 2027-02-30T08:00:00Z\nobject:\n", 1)
    (only,) = compiled(tmp_path, more=DATED + text).diagnostics
    assert (only.id, "2027-02-30" in only.message) == ("wrong-format", True)


def test_what_is_drawn_anew_is_no_part_of_an_example(tmp_path):
    drawn = DATED.replace("'Left(CStr(Now()), 9)'", "Guid()")
    without = ADA.replace('  title: "-"\n', "")
    assert compiled(tmp_path, more=drawn + without).diagnostics == ()
    (only,) = compiled(tmp_path, more=drawn + ADA).diagnostics
    assert (only.id, "drawn anew" in only.message) == ("example-differs", True)
    assert only.location is not None
    assert ADA.splitlines()[-1] in (drawn + ADA).splitlines()[only.location.line - 1 :]


def test_no_diagnostic_of_an_example_shows_a_sensitive_value(tmp_path):
    case = (CASES / "example-differs.sensitive.yaml").read_text()
    told = repr(compiled(tmp_path, case=case).diagnostics)
    assert "sensitive" in told
    assert "one-value" not in told
    assert "another-value" not in told
