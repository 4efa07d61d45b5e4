"""A schema of Graph becomes documents, and edits of them are written back."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from tests.support.examples import most
from tests.support.graph_schemas import MATCH, exported, imported, schemas
from tests.support.trees import registered

from cloudforest.base.errors import Refused
from cloudforest.graph.export_rules import ExportedSchema, export_jobs, make_skeleton
from cloudforest.graph.import_rules import convert_filter, import_rules
from cloudforest.graph.schema import Clause, Filter, Group, Operand, to_schema
from cloudforest.program.scoping.filter_syntax import parse_filter

HERE = Path(__file__).parent
AD2AAD = json.loads((HERE / "ad2aad.json").read_text())
patient = settings(
    deadline=None,
    derandomize=True,  # a rare failure would block an unrelated change
    max_examples=most(40),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def comparable(schema):
    """Return the imported rules of a schema in a form to compare, without positions."""
    found = []
    for rule in import_rules(to_schema(schema), "x"):
        mappings = {
            each.kind: (
                each.target,
                each.filter and parse_filter(each.filter),
                each.keeps_leavers,
                {
                    path: {**entry, "constant": str(entry.get("constant"))}
                    for path, (_, entry) in each.entries.items()
                },
            )
            for each in rule.mappings
        }
        where = {k: v if v == "all" else sorted(v) for k, v in rule.scope.items()}
        found.append((where, mappings))
    return found


@patient
@given(schemas)
def test_unedited_documents_leave_the_schema_unchanged(schema):
    result = exported(schema, imported(schema))
    assert result.schema == schema


@patient
@given(schemas, schemas)
def test_exported_documents_are_imported_unchanged(base, other):
    expected = comparable(other)[0]
    assume(expected[1])
    other = {**other, "synchronizationRules": other["synchronizationRules"][:1]}
    result = exported(base, imported(other))
    assert comparable(result.schema)[0] == expected
    assert result.schema["synchronizationRules"][1:] == base["synchronizationRules"][1:]
    assert exported(result.schema, imported(other)).schema == result.schema


def test_schema_of_cloud_sync_gives_the_reviewed_documents():
    text = imported(AD2AAD, "ad2aad")
    assert text == (HERE / "ad2aad.yaml").read_text()
    assert exported(AD2AAD, imported(AD2AAD)).schema == AD2AAD


def test_edit_changes_only_its_own_part_of_the_schema():
    text = imported(AD2AAD)
    title = "  title: {source: '[title]', whenNull: keep}"
    user_name = "  userName: {source: '[userPrincipalName]', whenNull: keep"
    edits = {
        'department eq "Contractors"': 'Department eq "Interns"',
        'IIF(IsPresent([givenName]), Trim([givenName]), "-")': "Mid([givenName], 1, 8)",
        f"{user_name}, matchingPriority: 2}}\n": "",
        "{constant: Member}": f"{{constant: en}}\n{title}",
        "'[department]', ": "'[department]', flowType: ObjectAddOnly, ",
        "OU=Groups,DC=contoso": "OU=Teams,DC=contoso",
        "deprovision: {outOfScope: keep, deleted: keep}": "",
    }
    text = text.replace('"[', "'[").replace(']"', "]'")
    for before, after in edits.items():
        assert before in text, before
        text = text.replace(before, after)
    result = exported(AD2AAD, text)

    expected = copy.deepcopy(AD2AAD)
    (rule,) = expected["synchronizationRules"]
    rule["containerFilter"]["includedContainers"] = [
        "OU=People,DC=contoso,DC=com",
        "OU=Teams,DC=contoso,DC=com",
    ]
    found = result.schema["synchronizationRules"][0]
    made = found["containerFilter"]["includedContainers"]
    assert sorted(made) == rule["containerFilter"]["includedContainers"]
    rule["containerFilter"]["includedContainers"] = made
    user, _, group, _ = rule["objectMappings"]
    group["flowTypes"] = "Add, Update, Delete"
    scope = found["objectMappings"][0]["scope"]
    clauses = [each["clauses"] for each in scope["groups"]]
    assert clauses[0][1] == {
        "operatorName": "NOT EQUALS",
        "sourceOperandName": "Department",
        "targetOperand": {"values": ["Interns"]},
    }
    user["scope"] = {**user["scope"], "groups": scope["groups"]}
    rows = {each["targetAttributeName"]: each for each in user["attributeMappings"]}
    del rows["UserPrincipalName"]
    rows["GivenName"]["source"] = {
        "expression": "Mid([givenName], 1, 8)",
        "name": "Mid",
        "type": "Function",
        "parameters": [
            {"key": key, "value": value}
            for key, value in (
                ("source", attribute("givenName")),
                ("start", constant("1")),
                ("length", constant("8")),
            )
        ],
    }
    rows["PreferredLanguage"]["defaultValue"] = "en"
    rows["Department"] |= {"flowType": "ObjectAddOnly"}
    rows["jobTitle"] = {
        "defaultValue": None,
        "exportMissingReferences": False,
        "flowBehavior": "FlowWhenChanged",
        "flowType": "Always",
        "matchingPriority": 0,
        "source": attribute("title"),
        "targetAttributeName": "jobTitle",
    }
    user["attributeMappings"] = list(rows.values())
    assert result.schema == expected


def attribute(name: str) -> dict[str, object]:
    text = f"[{name}]"
    return {"expression": text, "name": name, "parameters": [], "type": "Attribute"}


def constant(value: str) -> dict[str, object]:
    text = f'"{value}"'
    return {"expression": text, "name": value, "parameters": [], "type": "Constant"}


SCOPE = "kind: Scope\nname: s\norganizationalUnits: {}\n{}\n---\n"
JOB = """\
kind: Job
name: x
domain: contoso.com
scope: s
mappings: [{}]
enabled: false
"""


def job(units: str = "all", more: str = "", mapping: str = "ad-user-to-scim") -> str:
    return SCOPE.format(units, more) + JOB.format(mapping)


def from_nothing(folder, text: str) -> ExportedSchema:
    registration = registered(folder, x=text)
    found = registration.find_job("x")
    assert found is not None
    return export_jobs(
        make_skeleton(found, registration.programs["x"]), "x", registration
    )


def test_job_without_a_base_gets_a_complete_schema(tmp_path):
    text = job('["OU=A,DC=contoso,DC=com"]', "filters: {user: 'department pr'}")
    result = from_nothing(tmp_path, text)
    ((where, mappings),) = comparable(result.schema)
    assert where == {"organizationalUnits": ["OU=A,DC=contoso,DC=com"]}
    _, filtered, _, entries = mappings["user"]
    assert filtered == parse_filter("department pr")
    assert entries["userName"]["matchingPriority"] == 2
    names = {each["name"] for each in result.schema["directories"]}
    assert names == {"Active Directory", "cloud"}
    assert any("Graph keeps" in each for each in result.warnings)
    assert any("parseExpression" in each for each in result.warnings)


OWN = """\
---
kind: Mapping
name: m
extends: ad-user-to-scim
attributeMappings: {title: {template: "{{ title }}"}}
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            job('["OU=A,DC=contoso,DC=com"]', 'groups: ["CN=B,DC=contoso,DC=com"]'),
            "organizational units and groups",
        ),
        (
            job(more='groups: ["CN=B,DC=contoso,DC=com"]\nnestedGroups: true'),
            "nestedGroups",
        ),
        (job(more="filters: {user: 'logonCount lt 3'}"), "logonCount"),
        (
            job(more="filters: {user: 'whenCreated eq \"2026-01-31\"'}"),
            "whenCreated",
        ),
        (job(mapping="m") + OWN, "is a template"),
    ],
)
def test_what_graph_cannot_express_is_refused(text, reason, tmp_path):
    with pytest.raises(Refused, match=reason):
        from_nothing(tmp_path, text)


def with_row(target: str, text: str, *, to: str = "User", **members: object):
    """Return a schema with a matching row and this one."""
    row = {"targetAttributeName": target, "source": {"expression": text}, **members}
    mapping = {
        "sourceObjectName": "user",
        "targetObjectName": to,
        "attributeMappings": [MATCH, row],
    }
    return {"synchronizationRules": [{"objectMappings": [mapping]}]}


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (with_row("mail", "[mail]", to="Group"), "Group resources of SCIM have no"),
        (with_row("department", "[department]", to="Group"), "an attribute of User"),
        (with_row("name.nick", "[cn]"), "SCIM has no sub-attribute name.nick"),
        (with_row("AccountEnabled", "ToLower([title])"), r"\[title\] is text"),
        (with_row("mail", "[proxyAddresses]"), "takes one value"),
        (with_row("title", 'Split([title], "-")'), "Split has several"),
        (with_row("title", "Guid()"), "Guid gives a new value each time, but"),
        (
            with_row("title", "Now()", matchingPriority=2),
            "Now .* cannot be used to match",
        ),
        (
            with_row("title", "SelectUniqueValue([cn], [sn])", flowType="ValueAddOnly"),
            "SelectUniqueValue gives a new value each time, but",
        ),
        (with_row("title", "DefaultDomain()"), "needs defaultDomain"),
        (
            with_row("members", "[member]", to="Group", flowType="ObjectAddOnly"),
            "members cannot flow as ObjectAddOnly",
        ),
        (with_row("active", "[x]", defaultValue="x"), "its value does not fit active"),
        (with_row("title", "[title]", flowBehavior="x"), "flow behavior x is unknown"),
        (
            with_row("title", "[title]", exportMissingReferences=True),
            "it is not a single reference",
        ),
        (
            with_row("emails", "[proxyAddresses]", matchingPriority=2),
            "emails matchingPriority.*has several values",
        ),
    ],
)
def test_invalid_mapping_becomes_a_comment_with_the_reason(schema, reason):
    text = imported(schema)
    (comment,) = (each for each in text.splitlines() if re.search(reason, each))
    assert comment.startswith("  # No equivalent: ")
    assert exported(schema, text).schema == schema


@pytest.mark.parametrize(
    ("name", "operator", "value", "reason"),
    [
        ("accountExpires", "EQUALS", "2026-02-30", "2026-02-30"),
        ("whenCreated", "GREATER_THAN", "20260101", "20260101"),
        ("memberOf", "EQUALS", "CN=A,DC=contoso,DC=com", "objectGUID"),
        ("a_b", "EQUALS", "x", "a_b is not an attribute name"),
        ("sourceAnchor", "EQUALS", "x", "mS-DS-ConsistencyGuid"),
    ],
)
def test_invalid_filter_gives_the_reason(name, operator, value, reason):
    clause = Clause(
        operator_name=operator,
        source_operand_name=name,
        target_operand=Operand(values=(value,)),
    )
    scope = Filter(groups=(Group(clauses=(clause,)),))
    text, (found,) = convert_filter(scope)
    assert text is None
    assert reason in found


def test_mapping_without_matching_attribute_becomes_a_comment():
    row = {"targetAttributeName": "userName", "source": {"expression": "[cn]"}}
    mapping = {
        "sourceObjectName": "user",
        "targetObjectName": "User",
        "attributeMappings": [row],
    }
    schema = {"synchronizationRules": [{"objectMappings": [mapping]}]}
    text = imported(schema)
    assert "no matching attribute" in text
    assert "kind: Mapping" not in text
    assert exported(schema, text).schema == schema


def test_flow_behavior_and_missing_references_go_both_ways():
    row = {"flowBehavior": "flowAlways", "exportMissingReferences": True}
    schema = with_row("Manager", "[manager]", **row)
    text = imported(schema)
    assert "flowBehavior: FlowAlways, exportMissingReferences: true" in text
    edited = text.replace("flowBehavior: FlowAlways, ", "")
    result = exported(schema, edited.replace("References: true", "References: false"))
    ((found, _),) = (
        each["attributeMappings"][::-1]
        for rule in result.schema["synchronizationRules"]
        for each in rule["objectMappings"]
    )
    assert found["flowBehavior"] == "FlowWhenChanged"
    assert found["exportMissingReferences"] is False


@pytest.mark.parametrize("whole_first", [True, False])
def test_list_mapped_whole_and_in_part_keeps_the_part(whole_first):
    schema = with_row("emails", "[proxyAddresses]")
    (mapping,) = schema["synchronizationRules"][0]["objectMappings"]
    part = {"targetAttributeName": "Mail", "source": {"expression": "[mail]"}}
    mapping["attributeMappings"].insert(2 if whole_first else 1, part)
    text = imported(schema)
    work = 'emails[type eq "work"].value'
    assert f"  # No equivalent: emails: its part {work} is mapped too\n" in text
    assert exported(schema, text).schema == schema
    ((_, mappings),) = comparable(schema)
    assert list(mappings["user"][3]) == ["externalId", work]
    without_part = "".join(
        line for line in text.splitlines(keepends=True) if "[mail]" not in line
    )
    result = exported(schema, without_part).schema
    (found,) = result["synchronizationRules"][0]["objectMappings"]
    assert found["attributeMappings"] == [MATCH]


def test_new_resource_type_does_not_adopt_unconvertible_mappings():
    schema = with_row("userName", "[cn]", to="Group")
    text = imported(schema).replace("targetObjectName: Group", "targetObjectName: User")
    ((_, mappings),) = comparable(exported(schema, text).schema)
    assert list(mappings["user"][3]) == ["externalId"]


ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def test_schema_of_a_scim_application_has_urns_and_scim_paths():
    rows = {
        "userName": "[userPrincipalName]",
        "active": 'Switch([IsSoftDeleted], , "False", "True", "True", "False")',
        'emails[type eq "work"].value': "[mail]",
        f"{ENTERPRISE}:department": "[department]",
    }
    mapping = {
        "sourceObjectName": "User",
        "targetObjectName": ENTERPRISE,
        "attributeMappings": [
            {
                "targetAttributeName": target,
                "matchingPriority": int(target == "userName"),
                "source": {"expression": text},
            }
            for target, text in rows.items()
        ],
    }
    source = "Azure Active Directory"
    rule = {"sourceDirectoryName": source, "objectMappings": [mapping]}
    schema = {"synchronizationRules": [rule]}
    ((_, mappings),) = comparable(schema)
    assert mappings["user"][0] == "User"
    assert list(mappings["user"][3]) == list(rows)
    text = imported(schema)
    assert f"No equivalent: {source}: " in text
    assert exported(schema, text).schema == schema
    edited = exported(schema, text.replace("IsSoftDeleted", "isDeleted")).schema
    (found,) = edited["synchronizationRules"][0]["objectMappings"]
    assert found["targetObjectName"] == ENTERPRISE
    assert "[isDeleted]" in found["attributeMappings"][1]["source"]["expression"]
