"""Scopes: which objects are in, and which clause keeps the others out."""

from __future__ import annotations

import pytest
from msgspec import structs

from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import ScopeProgram, TypeFilter
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.scope import (
    UNREADABLE_DN,
    CompiledScope,
    ResolvedScope,
    needed_attributes,
)

PEOPLE = "OU=People,DC=contoso,DC=com"
GROUPS = "OU=Groups,DC=contoso,DC=com"
USER = ("user", "person", "top")


def entry(dn, *, guid="g1", kind="user", classes=USER, **attributes):
    return Entry(
        object_guid=guid,
        dn=dn,
        type=kind,
        classes=frozenset(classes),
        parent=None,
        is_deleted=False,
        attributes={name: (value,) for name, value in attributes.items()},
    )


def program(units=(PEOPLE,), *, groups=(), types=("user", "group"), **filters):
    return ScopeProgram(
        types=types,
        organizational_units=units,
        groups=groups,
        filters={
            kind: TypeFilter(text=text, tree=parse_filter(text))
            for kind, text in filters.items()
        },
    )


def failing_clause(scope, one, resolved=ResolvedScope()):  # noqa: B008 - it is frozen
    return CompiledScope(scope, resolved).find_failing_clause(one)


def test_subtree_of_an_organizational_unit_is_in_scope():
    scope = program(["ou=people,dc=CONTOSO,dc=com"])
    assert failing_clause(scope, entry(f"CN=Zoë,OU=Sales,{PEOPLE}")) is None
    assert failing_clause(scope, entry(f"CN=Zoë,{GROUPS}")) == "organizationalUnits"


def test_whole_domain_is_in_scope_without_organizational_units():
    assert failing_clause(program(None), entry("CN=Zoë,DC=contoso,DC=com")) is None


def test_one_level_unit_includes_only_direct_children():
    scope = structs.replace(program([]), one_level=("ou=people,dc=CONTOSO,dc=com",))
    assert failing_clause(scope, entry(f"CN=Zoë,{PEOPLE}")) is None
    below = entry(f"CN=Zoë,OU=Sales,{PEOPLE}")
    assert failing_clause(scope, below) == "organizationalUnits"
    assert failing_clause(scope, entry(f"CN=Zoë,{GROUPS}")) == "organizationalUnits"
    both = structs.replace(scope, organizational_units=(f"OU=Sales,{PEOPLE}",))
    assert failing_clause(both, below) is None
    assert failing_clause(both, entry(f"CN=Zoë,{PEOPLE}")) is None
    assert (
        failing_clause(both, entry(f"CN=Zoë,OU=HR,{PEOPLE}")) == "organizationalUnits"
    )


@pytest.mark.parametrize("units", [(PEOPLE,), None])
def test_excepted_subtree_is_out_of_scope(units):
    scope = structs.replace(program(units), excepted=(f"ou=LEAVERS,{PEOPLE}",))
    assert failing_clause(scope, entry(f"CN=Zoë,OU=Sales,{PEOPLE}")) is None
    for dn in (f"CN=Zoë,OU=Leavers,{PEOPLE}", f"CN=Zoë,OU=2024,OU=Leavers,{PEOPLE}"):
        assert failing_clause(scope, entry(dn)) == "except"
    held = [
        each.text
        for each in CompiledScope(scope, ResolvedScope()).evaluate_clauses(entry(dn))
    ]
    assert held[-1] == "except"


def test_named_group_is_in_scope_even_below_an_excepted_unit():
    scope = structs.replace(program(groups=(CLOUD,)), excepted=(GROUPS,))
    resolved = ResolvedScope({"g9": frozenset({"g1"})})
    named = entry(CLOUD, guid="g9", kind="group", classes=("group",))
    assert failing_clause(scope, named, resolved) is None
    assert failing_clause(scope, entry(f"CN=a,{PEOPLE}"), resolved) is None


def test_moved_one_level_and_excepted_units_are_followed():
    scope = structs.replace(
        program([]), one_level=(PEOPLE,), excepted=(f"OU=Old,{PEOPLE}",)
    )
    now = {PEOPLE: GROUPS, f"OU=Old,{PEOPLE}": "OU=Old,DC=contoso,DC=com"}
    resolved = ResolvedScope(current_dns=now)
    assert failing_clause(scope, entry(f"CN=a,{GROUPS}"), resolved) is None
    assert (
        failing_clause(scope, entry(f"CN=a,{PEOPLE}"), resolved)
        == "organizationalUnits"
    )


def test_only_group_members_are_in_scope():
    scope = program(groups=(f"CN=Cloud,{GROUPS}",))
    resolved = ResolvedScope({"g9": frozenset({"g1", "g2"})})
    assert failing_clause(scope, entry(f"CN=a,{PEOPLE}"), resolved) is None
    assert (
        failing_clause(scope, entry(f"CN=b,{PEOPLE}", guid="g3"), resolved) == "groups"
    )
    elsewhere = entry(f"CN=c,{GROUPS}", guid="g2")
    assert failing_clause(scope, elsewhere, resolved) == "organizationalUnits"


def test_only_named_groups_are_in_scope_anywhere():
    scope = program(groups=(f"CN=Cloud,{GROUPS}",))
    resolved = ResolvedScope({"g9": frozenset({"g8"})})
    named = entry(f"CN=Cloud,{GROUPS}", guid="g9", kind="group", classes=("group",))
    other = entry(f"CN=Other,{PEOPLE}", guid="g8", kind="group", classes=("group",))
    assert failing_clause(scope, named, resolved) is None
    assert failing_clause(scope, other, resolved) == "groups"
    assert failing_clause(program(), other) is None
    only_people = program(groups=(f"CN=Cloud,{GROUPS}",), types=("user",))
    assert failing_clause(only_people, named, resolved) == "type: group"


def test_filter_applies_to_its_type_only():
    scope = program(user='department eq "Sales"')
    assert failing_clause(scope, entry(f"CN=a,{PEOPLE}", department="SALES")) is None
    refused = entry(f"CN=a,{PEOPLE}", department="Law")
    assert failing_clause(scope, refused) == "filters.user"
    group = entry(f"CN=a,{PEOPLE}", kind="group", classes=("group",))
    assert failing_clause(scope, group) is None


def test_unmapped_types_are_out_of_scope():
    contact = entry(f"CN=a,{PEOPLE}", kind="contact", classes=("contact",))
    assert failing_clause(program(), contact) == "type: contact"
    unit = entry(PEOPLE, kind=None, classes=("organizationalunit",))
    assert failing_clause(program(), unit) == "type: other"


@pytest.mark.parametrize(
    ("clause", "changed"),
    [
        ("excluded: isCriticalSystemObject", {"iscriticalsystemobject": "TRUE"}),
        ("excluded: computer", {"classes": (*USER, "computer")}),
        ("excluded: computer", {"useraccountcontrol": "4096"}),
        (
            "excluded: managedServiceAccount",
            {"classes": (*USER, "computer", "msds-groupmanagedserviceaccount")},
        ),
        (
            "excluded: managedServiceAccount",
            {"classes": (*USER, "computer", "msds-managedserviceaccount")},
        ),
        ("excluded: interdomainTrustAccount", {"useraccountcontrol": "2080"}),
        ("excluded: adminDescription", {"admindescription": "User_42"}),
        ("excluded: adminDescription", {"admindescription": "group_42"}),
        ("excluded: replicationConflict", {"dn": f"CN=a\\0ACNF:1-2,{PEOPLE}"}),
        ("excluded: distinguishedName", {"dn": f"CN=a;b,{PEOPLE}"}),
    ],
)
def test_excluded_objects_are_never_in_scope(clause, changed):
    one = entry(**{"dn": f"CN=a,{PEOPLE}", **changed})
    assert failing_clause(program(None), one) == clause


def test_ordinary_values_do_not_exclude():
    one = entry(
        f"CN=CNF: the company,{PEOPLE}",
        iscriticalsystemobject="FALSE",
        admindescription="Superuser_1",
        useraccountcontrol="not a number",
    )
    assert failing_clause(program(), one) is None
    assert (
        failing_clause(program(), entry(f"CN=a,{PEOPLE}", useraccountcontrol="514"))
        is None
    )


def test_objects_below_a_conflict_unit_are_not_excluded():
    below = entry(f"CN=a,OU=Sales\\0ACNF:1-2,{PEOPLE}")
    assert failing_clause(program(), below) is None


def test_scope_lists_the_attributes_that_it_reads():
    scope = program(user="not (employeeType pr)")
    always = {"admindescription", "iscriticalsystemobject", "useraccountcontrol"}
    assert needed_attributes(scope, "user") == always | {"employeetype"}
    assert needed_attributes(scope, "group") == always


CLOUD = f"CN=Cloud,{GROUPS}"
STAFF = 'employeeType eq "staff" and department eq "Sales"'


def deciding_hidden(scope, one, resolved=ResolvedScope(), cleared=()):  # noqa: B008
    return CompiledScope(scope, resolved).find_deciding_hidden(one, frozenset(cleared))


@pytest.mark.parametrize(
    ("shown", "cleared", "expected"),
    [
        ({}, (), ("department", "employeetype")),
        ({"department": "Sales"}, (), ("employeetype",)),
        ({"department": "Law"}, (), ()),
        ({"department": "Sales"}, ("employeetype",), ()),
        ({"department": "Sales"}, ("title",), ("employeetype",)),
        ({}, ("employeetype",), ()),
    ],
)
def test_hidden_attribute_is_named_if_it_could_decide(shown, cleared, expected):
    one = entry(f"CN=a,{PEOPLE}", **shown)
    assert deciding_hidden(program(user=STAFF), one, cleared=cleared) == expected


def test_nothing_hidden_decides_if_another_clause_fails():
    scope = program(user=STAFF)
    assert deciding_hidden(scope, entry(f"CN=a,{GROUPS}")) == ()
    computer = entry(f"CN=a,{PEOPLE}", classes=(*USER, "computer"))
    assert deciding_hidden(scope, computer) == ()
    assert (
        deciding_hidden(program(types=("group",), user=STAFF), entry(f"CN=a,{PEOPLE}"))
        == ()
    )


def test_membership_in_a_group_without_visible_members_may_be_hidden():
    scope = program(groups=(CLOUD,))
    one = entry(f"CN=a,{PEOPLE}")
    silent = ResolvedScope({"g9": frozenset()}, partial_groups=frozenset({"g9"}))
    assert deciding_hidden(scope, one, silent) == ("member:g9",)
    shown = ResolvedScope({"g9": frozenset({"g7"})})
    assert deciding_hidden(scope, one, shown) == ()
    assert deciding_hidden(scope, entry(f"CN=a,{GROUPS}"), silent) == ()
    group = entry(f"CN=a,{PEOPLE}", kind="group", classes=("group",))
    assert deciding_hidden(scope, group, silent) == ()
    both = program(groups=(CLOUD,), user=STAFF)
    hidden = ("department", "employeetype", "member:g9")
    assert deciding_hidden(both, one, silent) == hidden
    assert (
        deciding_hidden(both, entry(f"CN=a,{PEOPLE}", department="Law"), silent) == ()
    )


def test_partial_group_is_hidden_independently_of_others():
    scope = program(groups=(CLOUD, f"CN=Other,{GROUPS}"))
    members = {"g9": frozenset({"g3"}), "g8": frozenset({"g2"})}
    resolved = ResolvedScope(members, partial_groups=frozenset({"g9"}))
    gone, here = entry(f"CN=a,{PEOPLE}"), entry(f"CN=b,{PEOPLE}", guid="g2")
    assert deciding_hidden(scope, gone, resolved) == ("member:g9",)
    assert CompiledScope(scope, resolved).find_shown(here) == ("member:g8",)
    assert CompiledScope(scope, resolved).find_hidden(here, frozenset()) == (
        "member:g9",
    )


def test_dn_is_never_hidden_and_never_requested():
    text = 'not (dn co "OU=Leavers" or distinguishedName eq "x") and title pr'
    scope = program(user=text)
    assert needed_attributes(scope, "user").isdisjoint({"dn", "distinguishedname"})
    leaver = entry(f"CN=a,ou=leavers,{PEOPLE}", title="a")
    assert failing_clause(scope, leaver) == "filters.user"
    assert deciding_hidden(scope, leaver) == ()
    assert CompiledScope(scope, ResolvedScope()).find_hidden(leaver, frozenset()) == ()
    *_, first, last = CompiledScope(scope, ResolvedScope()).evaluate_clauses(leaver)
    assert (first.holds, last.holds) == (False, True)
    assert failing_clause(scope, entry(f"CN=a,{PEOPLE}", title="a")) is None


def test_unreadable_dn_does_not_prove_that_an_object_is_out_of_scope():
    unreadable = "CN=a,no name,DC=contoso,DC=com"
    one = entry(unreadable)
    assert failing_clause(program(), one) == "excluded: distinguishedName"
    assert deciding_hidden(program(), one) == (UNREADABLE_DN,)
    assert deciding_hidden(program(None), one) == (UNREADABLE_DN,)
    staff = entry(unreadable, employeetype="staff")
    assert deciding_hidden(program(user=STAFF), staff) == ("department", UNREADABLE_DN)
    left = entry(unreadable, employeetype="left")
    assert deciding_hidden(program(user=STAFF), left) == ()
    computer = entry(unreadable, classes=(*USER, "computer"))
    assert deciding_hidden(program(), computer) == ()
    assert deciding_hidden(program(types=("group",)), one) == ()


def test_shown_attributes_and_memberships_are_listed():
    scope = program(groups=(CLOUD,), user="employeeType pr or not (title pr)")
    resolved = ResolvedScope({"g9": frozenset({"g1"})})
    one = entry(f"CN=a,{PEOPLE}", employeetype="staff", mail="a@contoso.com")
    assert CompiledScope(scope, resolved).find_shown(one) == (
        "employeetype",
        "member:g9",
    )
    assert CompiledScope(scope, resolved).find_hidden(one, frozenset()) == ("title",)
    assert CompiledScope(scope, resolved).find_hidden(one, {"title"}) == ()
    assert CompiledScope(program(), ResolvedScope()).find_shown(one) == ()
    named = entry(CLOUD, guid="g9", kind="group", classes=("group",))
    assert CompiledScope(scope, resolved).find_shown(named) == ()


def test_moved_units_are_followed():
    moved = ResolvedScope(current_dns={PEOPLE: GROUPS})
    assert failing_clause(program(), entry(f"CN=a,{GROUPS}"), moved) is None
    assert (
        failing_clause(program(), entry(f"CN=a,{PEOPLE}"), moved)
        == "organizationalUnits"
    )


def clauses(scope, one, resolved=ResolvedScope()):  # noqa: B008
    clauses = CompiledScope(scope, resolved).evaluate_clauses(one)
    return [f"{each.text}: {'yes' if each.holds else 'no'}" for each in clauses]


def test_all_clauses_are_evaluated_in_order():
    scope = program(groups=(CLOUD,), user='department eq "Sales" or title pr')
    one = entry(f"CN=a,{GROUPS}", title="Boss", useraccountcontrol="4096")
    assert clauses(scope, one) == [
        "not excluded: computer: no",
        "type: user: yes",
        "organizationalUnits: no",
        "groups: no",
        "filters.user: yes",
        'filters.user clause 1: department eq "Sales": no',
        "filters.user clause 2: title pr: yes",
    ]
    group = entry(f"CN=a,{GROUPS}", kind="group", classes=("group",))
    resolved = ResolvedScope({"g1": frozenset()})
    assert clauses(scope, group, resolved) == [
        "not excluded: yes",
        "type: group: yes",
        "groups: yes",
    ]
    assert clauses(program(None, user="title pr"), one)[2:] == [
        "filters.user: yes",
        "filters.user clause 1: title pr: yes",
    ]
