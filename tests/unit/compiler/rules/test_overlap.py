"""What mappings, filters and jobs say that can't be meant, and what can."""

from __future__ import annotations

import pytest
import scim2_models
from hypothesis import given, settings
from hypothesis import strategies as st
from scim2_models import EnterpriseUser, Group, Mutability, User
from tests.support.trees import VALID, compiled

from cloudforest.compiler.rules.filters import contradiction
from cloudforest.program.ad_schema import SEVERAL, SINGLE, TEXTS
from cloudforest.program.scim.path import ENTERPRISE, PLURAL
from cloudforest.program.scim.schema import BOOLEAN_PARTS, known_schemas
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.predicates import compile_filter


@pytest.mark.parametrize(
    "text",
    [
        'department eq "Sales" and department eq "Support"',
        'department eq "Sales" and department ne "SALES"',
        'department eq "Sales" and not (department sw "Sa")',
        "mail pr and not (mail pr)",
        'mail eq "x" and mail eq null',
        'otherMailbox eq "x" and not (otherMailbox pr)',
        'otherMailbox co "x" and not (otherMailbox co "X")',
        'title sw "A" and title sw "B"',
        'title ew "A" and title ew "B"',
        "adminCount gt 5 and adminCount lt 5",
        "adminCount eq 1 and adminCount ge 2",
        '(title eq "a" and title eq "b") or (mail pr and mail eq null)',
        'title eq "a" and (title eq "b" or title eq "c")',
        'not (title pr or not (title eq "x"))',
    ],
)
def test_a_filter_that_nothing_can_pass_is_plain(text):
    assert contradiction(parse_filter(text)) is not None


@pytest.mark.parametrize(
    "text",
    [
        'department eq "Sales" or department eq "Support"',
        'otherMailbox eq "x" and otherMailbox eq "y"',
        'otherMailbox eq "x" and not (otherMailbox eq "y")',
        'memberOf eq "x" and not (title eq "x")',
        'title sw "A" and title sw "AB"',
        'title sw "A" and title ew "B"',
        "adminCount ge 5 and adminCount le 5",
        "adminCount gt 10 and adminCount lt 9",
        'not (title eq "a") and not (title eq "b")',
        'title eq "a" and title eq "b" or mail pr',
        " and ".join(f'(a{n} pr or b{n} pr or title eq "x")' for n in range(20)),
    ],
)
def test_a_filter_that_something_may_pass_is_not_told(text):
    assert contradiction(parse_filter(text)) is None


values = st.sampled_from(["a", "ab", "b", "5", "10", "9"])
leaves = st.builds(
    lambda name, operator, value: f'{name} {operator} "{value}"',
    st.sampled_from(["title", "otherMailbox"]),
    st.sampled_from(["eq", "ne", "sw", "ew", "co", "gt", "le"]),
    values,
) | st.sampled_from(["title pr", "otherMailbox pr"])
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=6,
)


@given(filters, st.lists(values, max_size=1), st.lists(values, max_size=3))
@settings(max_examples=1000, deadline=None, derandomize=True)
def test_what_passes_a_filter_proves_that_it_is_no_contradiction(text, title, boxes):
    tree = parse_filter(text)
    found = {"title": tuple(title), "othermailbox": tuple(boxes)}
    if compile_filter(tree)(found):
        assert contradiction(tree) is None


def test_an_attribute_has_one_value_or_several():
    assert not SINGLE & SEVERAL
    assert all(each == each.lower() for each in SINGLE | SEVERAL | TEXTS)


@pytest.mark.parametrize(
    ("resource", "schema", "model"),
    [
        ("User", None, User),
        ("User", ENTERPRISE, EnterpriseUser),
        ("Group", None, Group),
    ],
)
def test_the_attributes_are_those_of_rfc_7643(resource, schema, model):
    """As another implementation has them; it knows `schemas` and `meta` apart."""
    said = known_schemas(resource)[schema]
    fields = {each.serialization_alias for each in model.model_fields.values()}
    theirs = {each for each in fields if each and not each.startswith("urn:")}
    assert said.keys() - {"schemas"} == theirs - {"schemas"}
    for name, field in model.model_fields.items():
        alias = field.serialization_alias
        if alias not in said or alias in {"meta", "schemas", "id", "externalId"}:
            continue
        ours = said[alias]
        assert ours.many is model.get_field_multiplicity(name), alias
        root = model.get_field_root_type(name)
        if issubclass(root, scim2_models.ComplexAttribute) and not ours.read_only:
            parts = {each.serialization_alias for each in root.model_fields.values()}
            assert ours.parts == parts - {"$ref"} or ours.parts == parts, alias
        if ours.boolean:
            assert root is bool
        read_only = model.get_field_annotation(name, Mutability)
        assert ours.read_only is (read_only is Mutability.read_only), alias
    assert said.keys() >= (PLURAL if model is User else set())
    assert {"primary"} == BOOLEAN_PARTS


def ids(folder, text):
    return [each.id for each in compiled(folder, more=text).diagnostics]


def jobs(first, second, *, mapping="ad-user-to-scim", more=""):
    """Return two jobs of a domain of their own, with these scopes."""
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
    ("first", "second", "told"),
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
def test_jobs_that_surely_share_people_are_told(tmp_path, first, second, told):
    found = ids(tmp_path, jobs(first, second))
    assert ("overlapping-jobs" in found) is told
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
def test_jobs_that_would_undo_each_other_are_told(tmp_path, first, second, severity):
    result = compiled(tmp_path, more=jobs(first, second, mapping="other"))
    found = [each for each in result.diagnostics if each.id == "conflicting-jobs"]
    assert [each.severity for each in found] == ([severity] if severity else [])
    assert (result.registration is None) is (severity == "error")


def test_a_job_that_is_not_enabled_writes_nothing(tmp_path):
    text = jobs(ALL, ALL, mapping="other", more=", enabled: false")
    assert "conflicting-jobs" not in ids(tmp_path, text)


def test_what_is_written_at_creation_only_is_no_conflict(tmp_path):
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
def test_what_may_be_meant_is_not_told(tmp_path, entry):
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


LAB = """\
kind: Forest
name: lab
domains: [{name: Lab.contoso.com, source: {ldif: lab.ldif}}]
---
kind: Agent
name: sync02
domains: [lab.contoso.com]
run: remote
---
kind: Agent
name: sync03
domains: [CONTOSO.com, LAB.contoso.com]
run: remote
---
kind: Scope
name: cloud
organizationalUnits: all
groups: ["CN=Cloud,DC=lab,DC=contoso,DC=com"]
---
kind: Job
name: cloud
domain: contoso.com
scope: cloud
mappings: [ad-group-to-scim]
enabled: false
"""


def test_a_group_of_another_domain_is_meant_if_every_agent_asked_reads_it(tmp_path):
    """Any agent of contoso.com may be asked; one of lab alone may not."""
    reads = "domains: [contoso.com"
    both = VALID.replace(f"{reads}]", f"{reads}, lab.contoso.com]")

    one = compiled(tmp_path, lab=LAB).diagnostics
    none = compiled(tmp_path, **{"0-valid": both, "lab": LAB}).diagnostics

    assert [each.id for each in one] == ["scope-in-another-domain"]
    assert '"sync01"' in one[0].message
    assert none == ()
