"""Jobs that share people, and jobs that would undo each other."""

from __future__ import annotations

import pytest
from tests.support.trees import compiled


def ids(folder, text):
    return [each.id for each in compiled(folder, more=text).diagnostics]


def jobs(first, second, *, mapping="ad-user-to-scim", more=""):
    """Return two jobs of an extra domain, with these scopes."""
    return f"""
kind: Forest
name: fabrikam
domains: [{{name: fabrikam.com, source: {{ldif: x.ldif}}}}]
---
{{kind: Agent, name: sync02, domains: [fabrikam.com], run: local}}
---
{{kind: Scope, name: first, {first}}}
---
{{kind: Scope, name: second, {second}}}
---
kind: Mapping
name: other
extends: ad-user-to-scim
attributeMappings: {{title: "[company]"}}
---
{{kind: Job, name: first, domain: fabrikam.com, scope: first,
 mappings: [ad-user-to-scim]}}
---
{{kind: Job, name: second, domain: fabrikam.com, scope: second,
 mappings: [{mapping}]{more}}}
---
{{kind: Job, name: third, domain: fabrikam.com, scope: second,
 mappings: [other], enabled: false}}
"""


ALL = "organizationalUnits: all"
BERLIN = "organizationalUnits: ['ou=berlin, ou=People,DC=fabrikam,DC=com']"
PARIS = "organizationalUnits: ['OU=Paris,OU=People,DC=fabrikam,DC=com']"
PEOPLE = (
    "organizationalUnits: "
    "['OU=Other,DC=fabrikam,DC=com', 'OU=People,DC=fabrikam,DC=com']"
)
SALES = "filters: {user: 'department eq \"Sales\"'}"
STAFF = "filters: {user: 'employeeType eq \"staff\"'}"
SUPPORT = "filters: {user: 'department eq \"Support\"'}"
GROUP = "groups: ['CN=A,DC=fabrikam,DC=com']"
GROUPS = "groups: ['CN=A,DC=fabrikam,DC=com', 'CN=B,DC=fabrikam,DC=com']"


@pytest.mark.parametrize(
    ("first", "second", "reported"),
    [
        (ALL, ALL, True),
        (ALL, BERLIN, True),
        (PEOPLE, BERLIN, True),
        (BERLIN, PEOPLE, True),
        (f"{PEOPLE}, {SALES}", BERLIN, True),
        (f"{ALL}, {GROUPS}", f"{BERLIN}, {GROUP}", True),
        (f"{ALL}, {GROUP}", f"{BERLIN}, {GROUP}, nestedGroups: true", True),
        (BERLIN, PARIS, False),
        (f"{ALL}, {SALES}", f"{ALL}, {STAFF}", False),
        (f"{ALL}, {SALES}", f"{ALL}, {SUPPORT}", False),
        (f"{ALL}, {GROUP}", f"{ALL}, {SALES}", False),
    ],
)
def test_jobs_that_surely_share_people_are_reported(tmp_path, first, second, reported):
    found = ids(tmp_path, jobs(first, second))
    assert ("overlapping-jobs" in found) is reported
    assert "conflicting-jobs" not in found


@pytest.mark.parametrize(
    ("first", "second", "severity"),
    [
        (PEOPLE, BERLIN, "error"),
        (f"{PEOPLE}, {STAFF}", f"{BERLIN}, {SALES}", "warning"),
        (f"{ALL}, {SALES}", f"{ALL}, {SUPPORT}", None),
        (BERLIN, PARIS, None),
    ],
)
def test_jobs_that_would_undo_each_other_are_reported(
    tmp_path, first, second, severity
):
    result = compiled(tmp_path, more=jobs(first, second, mapping="other"))
    found = [each for each in result.diagnostics if each.id == "conflicting-jobs"]
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert (result.registration is None) is (severity == "error")


def test_disabled_job_does_not_overlap(tmp_path):
    text = jobs(ALL, ALL, mapping="other", more=", enabled: false")
    assert "conflicting-jobs" not in ids(tmp_path, text)


def test_attributes_written_at_creation_only_do_not_conflict(tmp_path):
    text = jobs(ALL, ALL, mapping="other").replace(
        '"[company]"', '{source: "[company]", flowType: ObjectAddOnly}'
    )
    assert "conflicting-jobs" not in ids(tmp_path, text)


@pytest.mark.parametrize(
    "entry",
    [
        'active: "[extensionAttribute1]"',
        'active: {constant: "false"}',
        'active: \'IIF([title] = "x", "True", "False")\'',
        "active: {template: '{{ title }}'}",
        "title: '[description]'",
        "title: 'Join(\",\", [proxyAddresses])'",
        "title: 'Item(Split([title], \";\"), 1)'",
        "'urn:x:y:badge': '[proxyAddresses]'",
        "'phoneNumbers[type eq \"work\"].primary': {constant: true}",
        "'addresses[type eq \"work\"].postalCode': '[postalCode]'",
        "'addresses[primary eq true].country': '[c]'",
        "enterprise:manager.displayName: '[company]'",
        "Name.GivenName: '[givenName]'",
        "tilte: null",
    ],
)
def test_valid_entry_is_not_reported(tmp_path, entry):
    text = f"""
kind: Mapping
name: staff
extends: ad-user-to-scim
attributeMappings:
  {entry}
---
{{kind: Job, name: staff, domain: contoso.com, scope: everybody, mappings: [staff],
 enabled: false}}
"""
    assert ids(tmp_path, text) == []
