"""How a tree without errors becomes a registration."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.trees import VALID, compiled, registered

from cloudforest.base.values import canonical_digest
from cloudforest.model.program import Attribute, Constant
from cloudforest.model.registration import SecretReference

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
STAFF = """
kind: Mapping
name: staff
extends: ad-user-to-scim
attributeMappings:
  title: null
  displayName: "[cn]"
  preferredLanguage: {constant: en-US}
deprovision: {deleted: delete}
---
kind: Scope
name: staff
organizationalUnits: ["OU=Staff,DC=contoso,DC=com", "OU=A,DC=contoso,DC=com"]
filters: {user: 'employeeType eq "staff"', group: 'cn pr'}
---
kind: Job
name: staff
domain: Contoso.COM
scope: staff
mappings: [staff]
guard: {deletes: {max: 5, window: 1h}}
enabled: false
"""


def rules_of(tree, job, source):
    program = next(e for e in tree.programs[job].mappings if e.source == source)
    return {rule.target: rule for rule in program.rules}


def test_defaults_are_filled_in(tmp_path):
    tree = registered(tmp_path)
    job = tree.jobs[0]
    assert (job.interval, job.enabled) == (120, True)
    assert len(job.guard) == 7
    assert job.guard["rekeys"].window == 86400
    assert tree.targets[0].profile.name == "generic"
    kept = {each.name: each.deprovision.deleted for each in tree.mappings}
    assert kept == {"ad-user-to-scim": "disable", "ad-group-to-scim": "delete"}


def test_partial_budget_keeps_the_other_defaults(tmp_path):
    budget = registered(tmp_path, staff=STAFF).jobs[1].guard["deletes"]
    assert (budget.max, budget.window, budget.percent) == (5, 3600, 20)


def test_entry_replaces_the_inherited_one_and_null_removes_it(tmp_path):
    rules = rules_of(registered(tmp_path, staff=STAFF), "staff", "user")
    assert "title" not in rules
    assert rules["displayName"].expression == Attribute(name="cn")
    assert rules["preferredLanguage"].expression == Constant(value="en-US")
    assert rules["externalId"].matching_priority == 1


def test_deprovision_is_inherited_key_by_key(tmp_path):
    tree = registered(tmp_path, staff=STAFF)
    staff = next(each for each in tree.mappings if each.name == "staff")
    assert (staff.deprovision.out_of_scope, staff.deprovision.deleted) == (
        "disable",
        "delete",
    )


def test_references_are_inferred_from_target_and_bare_attribute(tmp_path):
    tree = registered(tmp_path)
    users, groups = (rules_of(tree, "people", each) for each in ("user", "group"))
    manager, members = users[f"{ENTERPRISE}manager"], groups["members"]
    assert (manager.reference, manager.multi) == (True, False)
    assert (members.reference, members.multi) == (True, True)
    assert not any(r.reference for r in users.values() if r is not manager)


def test_reads_are_inferred_sorted_and_in_lower_case(tmp_path):
    group = registered(tmp_path).programs["people"].mappings[0]
    assert group.reads == ("cn", "displayname", "member", "sourceanchor")


def test_scope_program_holds_the_types_and_filters_of_its_job(tmp_path):
    programs = registered(tmp_path, staff=STAFF).programs
    assert programs["people"].scope.organizational_units is None
    assert programs["people"].scope.types == ("group", "user")
    assert programs["staff"].scope.types == ("user",)
    assert list(programs["staff"].scope.filters) == ["user"]
    assert programs["staff"].scope.organizational_units == (
        "OU=A,DC=contoso,DC=com",
        "OU=Staff,DC=contoso,DC=com",
    )


ONE_LEVEL = """
kind: Scope
name: desk
organizationalUnits:
  - {oneLevel: "OU=Desk,DC=contoso,DC=com"}
  - "OU=Staff,DC=contoso,DC=com"
except: ["OU=Z,DC=contoso,DC=com", "OU=Old,DC=contoso,DC=com"]
---
kind: Job
name: desk
domain: contoso.com
scope: desk
mappings: [ad-user-to-scim]
"""


def test_unit_is_a_subtree_or_one_level_or_excepted(tmp_path):
    scope = registered(tmp_path, desk=ONE_LEVEL).programs["desk"].scope
    assert scope.organizational_units == ("OU=Staff,DC=contoso,DC=com",)
    assert scope.one_level == ("OU=Desk,DC=contoso,DC=com",)
    assert scope.excepted == ("OU=Old,DC=contoso,DC=com", "OU=Z,DC=contoso,DC=com")


def test_scope_of_one_level_is_not_the_whole_domain(tmp_path):
    text = ONE_LEVEL.replace('  - "OU=Staff,DC=contoso,DC=com"\n', "")
    scope = registered(tmp_path, desk=text).programs["desk"].scope
    assert scope.organizational_units == ()


def test_order_of_documents_and_fields_does_not_matter(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = registered(tmp_path / "a", staff=STAFF)
    text = VALID.replace(
        "mappings: [ad-user-to-scim, ad-group-to-scim]",
        "mappings: [ad-group-to-scim, ad-user-to-scim]",
    )
    parts = [
        "\n".join(reversed(each.strip().splitlines()))
        if "kind: Agent" in each
        else each
        for each in f"{text}---{STAFF}".split("---")
    ]
    other = registered(tmp_path / "b", **{"0-valid": "\n---\n".join(reversed(parts))})
    assert canonical_digest(one) == canonical_digest(other)


def test_controllers_keep_their_order_and_files_are_relative_to_the_tree(tmp_path):
    (tmp_path / "eu").mkdir()
    text = """
kind: Forest
name: fabrikam
domains:
  - name: Fabrikam.com
    source:
      activeDirectory:
        controllers: [ldaps://dc2.fabrikam.com, ldaps://dc1.fabrikam.com]
        tls: {ca: certs/ca.pem}
        bind: {username: sync, password: {file: ../secrets/bind}}
---
kind: Agent
name: sync02
domains: [fabrikam.COM]
run: remote
"""
    (tmp_path / "eu" / "fabrikam.yaml").write_text(text)
    domain = registered(tmp_path).domains_by_name()["fabrikam.com"]
    source = domain.source.active_directory
    assert source is not None
    assert source.controllers == (
        "ldaps://dc2.fabrikam.com",
        "ldaps://dc1.fabrikam.com",
    )
    assert source.tls.ca == "eu/certs/ca.pem"
    assert source.bind.password == SecretReference(file="secrets/bind")


def test_service_is_embedded_or_has_a_url_and_a_token(tmp_path):
    assert compiled(tmp_path).service.url is None
    remote = VALID.replace(
        "name: contoso\n---\nkind: Target",
        "name: contoso\nservice: {url: https://c.example, token: {env: T}}\n---\n"
        "kind: Target",
    )
    service = compiled(tmp_path, **{"0-valid": remote}).service
    assert (service.url, service.token) == (
        "https://c.example",
        SecretReference(env="T"),
    )


@pytest.mark.parametrize(
    ("tls", "port"), [("starttls", 587), ("implicit", 465), ("off", 25)]
)
def test_default_mail_port_depends_on_tls(tmp_path, tls, port):
    assert mail(tmp_path, f"tls: {tls}").port == port
    assert mail(tmp_path, f"tls: {tls}, port: 2525").port == 2525


def test_mail_is_encrypted_by_default(tmp_path):
    found = mail(tmp_path, "ca: certs/mail.pem")
    assert (found.tls, found.ca, found.auth) == ("starttls", "eu/certs/mail.pem", None)
    assert msgspec.json.decode(msgspec.json.encode(found))["from"] == "cf@contoso.com"


def mail(folder, words):
    """Return the mail server of a tree whose Tenant, in a folder, has this text."""
    (folder / "eu").mkdir(exist_ok=True)
    tenant, _, others = VALID.partition("---\n")
    server = "server: smtp.contoso.com, from: cf@contoso.com"
    tenant += f"notify: [it@contoso.com]\nmail: {{{server}, {words}}}\n"
    (folder / "eu" / "tenant.yaml").write_text(tenant)
    return registered(folder, **{"0-valid": others}).tenant.mail


def test_tree_with_an_error_has_counts_but_no_registration(tmp_path):
    result = compiled(tmp_path, wrong="kind: Agnet\nname: x\n")
    assert result.registration is None
    assert result.service is None
    assert (result.file_count, result.document_count) == (2, 7)


def test_tree_with_warnings_has_a_registration(tmp_path):
    result = compiled(
        tmp_path, spare="kind: Scope\nname: x\norganizationalUnits: all\n"
    )
    assert [each.id for each in result.diagnostics] == ["unused-scope"]
    assert result.registration is not None


TYPED = """
kind: Target
name: hr
scim: https://scim.contoso.com/v2
auth: {bearer: {env: TOKEN}}
extensions:
  urn:contoso:2.0:User:
    badge: integer
    skills: {type: string, multiValued: true}
    buddy.value: reference
---
kind: Mapping
name: hr
extends: ad-user-to-scim
attributeMappings:
  urn:contoso:2.0:User:badge: "[employeeNumber]"
  urn:contoso:2.0:User:skills: {source: "[info]", flowType: MultiValueAddOnly}
  urn:contoso:2.0:User:buddy.value: "[secretary]"
  manager: {source: "Coalesce([manager], [secretary])", exportMissingReferences: true}
  roles: {source: "[employeeType]", flowBehavior: FlowAlways}
---
kind: Job
name: hr
domain: contoso.com
target: hr
scope: everybody
mappings: [hr]
---
kind: Job
name: both
domain: contoso.com
target: cloud
scope: everybody
mappings: [hr]
enabled: false
"""
HR = "urn:contoso:2.0:User:"


def typed(folder):
    return registered(folder, hr=TYPED)


def test_extensions_of_a_target_give_types_to_its_job_programs(tmp_path):
    tree = typed(tmp_path)
    rules, others = rules_of(tree, "hr", "user"), rules_of(tree, "both", "user")
    badge, skills = rules[f"{HR}badge"], rules[f"{HR}skills"]
    assert (badge.type, badge.multi, badge.reference) == ("integer", False, False)
    assert (skills.type, skills.multi) == ("string", True)
    buddy = rules[f"{HR}buddy.value"]
    assert (buddy.type, buddy.reference, buddy.multi) == ("reference", True, False)
    assert others[f"{HR}badge"].type is None
    assert not others[f"{HR}buddy.value"].reference


def test_reference_passes_through_functions_that_return_it(tmp_path):
    rule = rules_of(typed(tmp_path), "hr", "user")[f"{ENTERPRISE}manager"]
    assert (rule.reference, rule.export_missing_references) == (True, True)


def test_whole_multi_valued_attribute_keeps_all_values(tmp_path):
    rules = rules_of(typed(tmp_path), "hr", "user")
    roles = rules["roles"]
    assert (roles.multi, roles.flow_behavior) == (True, "FlowAlways")
    assert not rules['emails[type eq "work"].value'].multi


FUNCTIONS = """
kind: Mapping
name: functions
extends: ad-user-to-scim
attributeMappings:
  displayName: 'Join("@", [cn], DefaultDomain())'
  title: 'Trim(Redact([title]))'
---
kind: Job
name: functions
domain: contoso.com
scope: everybody
mappings: [functions]
enabled: false
"""


def test_default_domain_is_in_the_program(tmp_path):
    tenant = VALID.replace("kind: Tenant", "kind: Tenant\ndefaultDomain: contoso.com")
    tree = registered(tmp_path, **{"0-valid": tenant}, functions=FUNCTIONS)
    rules = rules_of(tree, "functions", "user")
    assert tree.tenant.default_domain == "contoso.com"
    expression = rules["displayName"].expression
    assert expression.arguments[-1] == Constant(value="contoso.com")
    assert rules["displayName"].text == 'Join("@", [cn], DefaultDomain())'
    assert (rules["title"].sensitive, rules["displayName"].sensitive) == (True, False)


def test_password_is_always_sensitive(tmp_path):
    mapping = STAFF.replace("  title: null", "  password: '[info]'\n  title: '[title]'")
    tree = registered(tmp_path, staff=mapping)
    entries = next(e for e in tree.mappings if e.name == "staff").attribute_mappings
    assert (entries["password"].sensitive, entries["title"].sensitive) == (True, False)
    assert rules_of(tree, "staff", "user")["password"].sensitive
