"""Examples check mappings and scopes, and report each difference."""

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


def diagnostics_of(folder, text: str) -> list[str]:
    return [str(each) for each in compiled(folder, more=MAPPING + text).diagnostics]


def test_matching_example_has_no_diagnostics(tmp_path):
    assert diagnostics_of(tmp_path, ADA) == []


def test_examples_are_not_registered(tmp_path):
    with_it = compiled(tmp_path, more=MAPPING + ADA).registration
    assert with_it == compiled(tmp_path, more=MAPPING).registration


def test_diagnostic_is_at_the_line_that_differs(tmp_path):
    text = ADA.replace("  displayName: Ada", "  displayName: Grace")
    line = (MAPPING + text)[: (MAPPING + text).index("Grace\n  title")].count("\n") + 1
    (only,) = diagnostics_of(tmp_path, text)
    assert only.startswith(f"more.yaml:{line}:16: error: ")
    assert '"Grace" in "displayName"' in only
    assert 'writes "Ada"' in only
    assert only.endswith("[example-differs]")


def test_changed_mapping_fails_its_examples(tmp_path):
    mapping = MAPPING.replace('"[title]"', '"[department]"').replace('"-"', '"none"')
    diagnostics = compiled(tmp_path, more=mapping + ADA).diagnostics
    assert [each.id for each in diagnostics] == ["example-differs"]


def test_value_that_cannot_be_mapped_is_reported(tmp_path):
    mapping = MAPPING.replace('"[title]"', '"Mid([title], 0, 1)"')
    text = ADA.replace("    manager:", "    title: [a, b]\n    manager:")
    (only,) = compiled(tmp_path, more=mapping + text).diagnostics
    assert only.id == "example-differs"
    assert '"people" cannot map this object: title: ' in only.message


def test_order_of_group_members_is_ignored(tmp_path):
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
    assert diagnostics_of(tmp_path, text) == []


def test_built_in_exclusion_can_be_expected(tmp_path):
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
    assert diagnostics_of(tmp_path, text) == []


def test_examples_do_not_run_in_a_tree_with_errors(tmp_path):
    text = ADA.replace("displayName: Ada", "displayName: Bob")
    ids = [
        each.id
        for each in compiled(
            tmp_path, more=MAPPING + text, bad="kind: Jobb"
        ).diagnostics
    ]
    assert ids == ["unknown-kind"]


def test_unknown_mapping_is_an_unknown_reference(tmp_path):
    (only,) = diagnostics_of(
        tmp_path, ADA.replace("mapping: people", "mapping: poeple")
    )
    assert 'Mapping "poeple"' in only
    assert only.endswith("[unknown-reference]")


def test_object_that_the_mapping_ignores_is_out(tmp_path):
    ignoring = 'Switch([title], [title], "x", IgnoreObjectFlow)'
    mapping = MAPPING.replace('"[title]"', f"'{ignoring}'")
    text = ADA.replace("    manager:", "    title: x\n    manager:")
    (only,) = compiled(tmp_path, more=mapping + text).diagnostics
    assert (only.id, "(object ignored)" in only.message) == ("example-scope", True)
    out = text[: text.index("resource:")] + "out: object ignored\n"
    assert compiled(tmp_path, more=mapping + out).diagnostics == ()


def test_ignored_attribute_is_not_expected(tmp_path):
    """Its default value is ignored too. A unique value is its first candidate."""
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


def test_now_sets_the_time_of_an_example(tmp_path):
    text = IN_2027.replace("object:\n", "now: 2027-02-28T08:00:00Z\nobject:\n", 1)
    assert compiled(tmp_path, more=DATED + text).diagnostics == ()
    other = text.replace("now: 2027", "now: 2028")
    (only,) = compiled(tmp_path, more=DATED + other).diagnostics
    assert 'the mapping writes "2/28/2028"' in only.message


def test_example_that_needs_now_is_told_to_set_it(tmp_path):
    (only,) = compiled(tmp_path, more=DATED + IN_2027).diagnostics
    assert (only.id, "`now:`" in only.message) == ("example-differs", True)


def test_impossible_date_is_reported(tmp_path):
    text = IN_2027.replace("object:\n", "now: 2027-02-30T08:00:00Z\nobject:\n", 1)
    (only,) = compiled(tmp_path, more=DATED + text).diagnostics
    assert (only.id, "2027-02-30" in only.message) == ("wrong-format", True)


def test_random_value_cannot_be_expected(tmp_path):
    drawn = DATED.replace("'Left(CStr(Now()), 9)'", "Guid()")
    without = ADA.replace('  title: "-"\n', "")
    assert compiled(tmp_path, more=drawn + without).diagnostics == ()
    (only,) = compiled(tmp_path, more=drawn + ADA).diagnostics
    assert (only.id, "random value" in only.message) == ("example-differs", True)
    assert only.location is not None
    assert ADA.splitlines()[-1] in (drawn + ADA).splitlines()[only.location.line - 1 :]


def test_diagnostics_of_examples_hide_sensitive_values(tmp_path):
    case = (CASES / "example-differs.sensitive.yaml").read_text()
    shown = repr(compiled(tmp_path, case=case).diagnostics)
    assert "sensitive" in shown
    assert "one-value" not in shown
    assert "another-value" not in shown
