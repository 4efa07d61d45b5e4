"""For each kind of change, a plan shows the same counts as the cycle after it."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.golden.schema import validator
from tests.support.clock import ManualClock
from tests.support.memory_target import MemoryTarget
from tests.support.world import NOON, memory_store

from cloudforest.adapters.store.provisioning import SqlProvisioningStore
from cloudforest.cli.plan import add_state_to_plan
from cloudforest.cli.plan_text import show_plan
from cloudforest.compiler.compile import compile_tree
from cloudforest.control_plane import shapes
from cloudforest.control_plane.preview import open_preview_bus
from cloudforest.model.cycles import Cycle
from cloudforest.model.ports.bus import AgentBus
from cloudforest.model.registration import Registration
from cloudforest.model.stages import Allowance, ExceededBudget
from cloudforest.plan.html import render_html
from cloudforest.plan.markdown import render_markdown
from cloudforest.plan.plan import ImpactReport, JobImpact, Plan, make_plan
from cloudforest.plan.warnings import find_orphans
from cloudforest.provisioning.cycle import run_cycle
from cloudforest.provisioning.impact import Impact, compute_impact
from cloudforest.provisioning.run import CycleContext, JobLocks

TREE = """
kind: Tenant
name: contoso
service: embedded
scenario: new-hybrid-customer
---
kind: Target
name: cloud
scim: embedded
---
kind: Forest
name: contoso
domains: [{name: contoso.com, source: {ldif: contoso.ldif}}]
---
kind: Agent
name: sync01
domains: [contoso.com]
run: local
---
kind: Scope
name: staff
organizationalUnits: ["OU=People,DC=contoso,DC=com", "OU=Branch,DC=contoso,DC=com"]
filters:
  user: 'employeeType eq "staff" and userPrincipalName pr'
---
kind: Mapping
name: people
sourceObjectName: user
targetObjectName: User
attributeMappings:
  externalId: {source: "[sourceAnchor]", matchingPriority: 1}
  userName: {source: "[userPrincipalName]", matchingPriority: 2}
  displayName: "[displayName]"
  title: "[title]"
  nickName: "[cn]"
deprovision: {outOfScope: disable, deleted: disable}
---
kind: Mapping
name: teams
extends: ad-group-to-scim
---
kind: Job
name: people
domain: contoso.com
target: cloud
scope: staff
mappings: [people, teams]
"""
NARROW = (" and userPrincipalName pr", ' and department ne "Sales"')
ONLY_PEOPLE = ("mappings: [people, teams]", "mappings: [people]")
UNUSED = ("kind: Mapping\nname: teams\nextends: ad-group-to-scim\n---\n", "")
OUT_OF_SCOPE = "{outOfScope: disable"


def entry(dn: str, kind: str, **attributes: Any) -> str:
    guid = base64.b64encode(uuid.uuid5(uuid.NAMESPACE_DNS, dn).bytes_le).decode()
    lines = [f"dn: {dn}", "objectClass: top", f"objectClass: {kind}"]
    lines += [f"distinguishedName: {dn}", f"objectGUID:: {guid}", "instanceType: 4"]
    for name, values in attributes.items():
        listed = values if isinstance(values, list) else [values]
        lines += [f"{name}: {each}" for each in listed]
    return "\n".join(lines)


def person(number: int, unit: str, **attributes: str) -> str:
    return entry(
        f"CN=P{number},OU={unit},DC=contoso,DC=com",
        "user",
        cn=f"P{number}",
        sAMAccountName=f"p{number}",
        userPrincipalName=f"p{number}@contoso.com",
        displayName=f"Person {number}",
        **{"employeeType": "staff", "department": "Sales", **attributes},
    )


def team(name: str, *members: str) -> str:
    dn = f"CN={name},OU=People,DC=contoso,DC=com"
    named = [f"{each},DC=contoso,DC=com" for each in members]
    return entry(dn, "group", cn=name, groupType="-2147483646", member=named)


def directory() -> str:
    """Return people of Sales and Works, a guest, one person in the lab, two groups."""
    units = ("People", "Branch", "Lab")
    entries = [entry("DC=contoso,DC=com", "domainDNS", dc="contoso")]
    entries += [
        entry(f"OU={each},DC=contoso,DC=com", "organizationalUnit", ou=each)
        for each in units
    ]
    entries += [person(n, "People", title="Clerk") for n in (1, 2)]
    entries += [person(n, "People", department="Works") for n in (3, 4, 5)]
    entries += [person(6, "Branch"), person(7, "Lab")]
    entries.append(person(8, "People", employeeType="guest"))
    entries.append(team("Sellers", "CN=P1,OU=People", "CN=P2,OU=People"))
    entries.append(team("All", *(f"CN=P{n},OU=People" for n in range(1, 6))))
    whole = "\n\n".join(["version: 1", *entries])
    return f"{whole}\n\n# numEntries: {len(entries)}\n"


@dataclass
class Place:
    """A tree in a folder, with the real compiler, agent and service in this process."""

    folder: Path
    store: SqlProvisioningStore
    target: MemoryTarget = field(default_factory=MemoryTarget)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))

    def compiled(self, *replaced: tuple[str, str]) -> Registration:
        text = TREE
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        (self.folder / "tree.yaml").write_text(text, encoding="utf-8")
        compiled = compile_tree(self.folder)
        assert compiled.registration is not None, compiled.diagnostics
        return compiled.registration

    async def cycle(self, registration: Registration) -> Cycle:
        async with open_preview_bus(registration, self.folder) as bus:
            return await run_cycle(
                self.run(registration, bus), registration, JobLocks()
            )

    def run(self, registration: Registration, bus: AgentBus) -> CycleContext:
        return CycleContext.open(
            registration,
            "people",
            store=self.store,
            bus=bus,
            target=self.target,
            clock=self.clock,
        )

    async def impact(
        self, registration: Registration, *, named: bool = False
    ) -> Impact:
        async with open_preview_bus(registration, self.folder) as bus:
            run = self.run(registration, bus)
            return await compute_impact(run, plan_digest="d" * 32, with_names=named)

    async def planned(
        self, before: Registration, after: Registration, *, named: bool
    ) -> Plan:
        async with open_preview_bus(after, self.folder) as bus:
            run = self.run(after, bus)
            found = await compute_impact(run, plan_digest="d" * 32, with_names=named)
            impacts = (
                shapes.make_job_impact(run, found),
                JobImpact(job="x", unknown="No."),
            )
        gone = [
            each.with_counts(created=1, adopted=0)
            for each in find_orphans(before, after)
        ]
        report = ImpactReport(impacts=impacts, consequences=tuple(gone))
        return make_plan(base=1, registered=before, desired=after, report=report)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    (tmp_path / "contoso.ldif").write_text(directory(), encoding="utf-8")
    database, store = await memory_store()
    yield Place(tmp_path, store)
    database.close()


def guarded(**most: int) -> tuple[str, str]:
    """Return a replacement that sets the limit of each budget."""
    budgets = ", ".join(f"{name}: {{max: {most}}}" for name, most in most.items())
    jobs = "mappings: [people, teams]\n"
    return (jobs, f"{jobs}guard: {{{budgets}}}\n")


CHANGES: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]], dict[str, int]]]
CHANGES = {
    "a filter is narrowed": ([], [NARROW], {"disable": 3, "memberRemove": 4}),
    "a filter is widened": (
        [],
        [('employeeType eq "staff" and', "")],
        {"create": 1},
    ),
    "an OU is removed": (
        [],
        [(', "OU=Branch,DC=contoso,DC=com"', "")],
        {"disable": 1},
    ),
    "an OU is added": (
        [],
        [('"OU=Branch,', '"OU=Lab,DC=contoso,DC=com", "OU=Branch,')],
        {"create": 1},
    ),
    "an attribute is mapped": (
        [],
        [('  title: "[title]"\n', '  title: "[title]"\n  userType: "[department]"\n')],
        {"update": 6},
    ),
    "an attribute is no longer mapped": (
        [],
        [('  nickName: "[cn]"\n', "")],
        {"update": 0, "blank": 0},
    ),
    "an expression is another": (
        [],
        [('displayName: "[displayName]"', "displayName: 'ToUpper([displayName], )'")],
        {"update": 6},
    ),
    "those who leave are deleted": (
        [],
        [NARROW, (OUT_OF_SCOPE, "{outOfScope: delete")],
        {"delete": 3},
    ),
    "those who leave are kept": (
        [],
        [NARROW, (OUT_OF_SCOPE, "{outOfScope: keep")],
        {"disable": 0},
    ),
    "the scope names a group": (
        [],
        [
            (
                "filters:",
                'groups: ["CN=Sellers,OU=People,DC=contoso,DC=com"]\nfilters:',
            )
        ],
        {"disable": 4, "delete": 1, "memberRemove": 0},
    ),
    "groups are mapped": ([UNUSED, ONLY_PEOPLE], [], {"create": 2, "memberAdd": 7}),
    "groups are no longer mapped": ([], [UNUSED, ONLY_PEOPLE], {"memberRemove": 0}),
    "null clears": (
        [],
        [('nickName: "[cn]"', 'nickName: "[info]"')],
        {"update": 6, "blank": 6},
    ),
    "null keeps": (
        [],
        [('nickName: "[cn]"', 'nickName: {source: "[info]", whenNull: keep}')],
        {"update": 0, "blank": 0},
    ),
    "a guard is narrowed": (
        [],
        [NARROW, guarded(disables=1)],
        {"disable": 0, "staged": 3},
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_counts_of_a_plan_equal_those_of_the_next_cycle(
    place: Place, change: str
):
    before, after, expected = CHANGES[change]
    first = await place.cycle(place.compiled(*before))
    assert first.state == "succeeded"
    changed = place.compiled(*after)
    writes = list(place.target.writes)

    found = await place.impact(changed)
    assert place.target.writes == writes
    cycle = await place.cycle(changed)

    assert found.counts == cycle.counts
    assert found.requests == len(place.target.writes) - len(writes)
    counted = msgspec.to_builtins(cycle.counts)
    assert {key: counted[key] for key in expected} == expected


async def test_impact_has_the_reasons_of_leavers_and_the_changed_attributes(
    place: Place,
):
    await place.cycle(place.compiled())
    narrowed = place.compiled(NARROW, ('nickName: "[cn]"', 'nickName: "[info]"'))

    found = (await place.impact(narrowed)).breakdown

    clause = 'filters.user clause 2: department ne "Sales"'
    [left] = found.leavers
    assert (left.type, left.action) == ("user", "disable")
    assert (left.reason, left.count) == (f"leaves scope: {clause}", 3)
    counted = {(e.type, e.attribute): (e.set, e.cleared) for e in found.attributes}
    assert counted == {("user", "active"): (3, 0), ("user", "nickName"): (0, 3)}
    assert found.samples == ()


async def test_samples_are_named_only_on_request(place: Place):
    await place.cycle(place.compiled())
    wider = place.compiled(
        NARROW, ('displayName: "[displayName]"', 'displayName: "[cn]"')
    )

    found = (await place.impact(wider, named=True)).breakdown

    named = [(each.action, each.name, each.reason) for each in found.samples]
    works = {("update", f"p{n}@contoso.com", "displayName") for n in (3, 4, 5)}
    assert works < set(named)
    [reason] = {reason for action, _, reason in named if action == "disable"}
    assert reason.startswith("leaves scope: filters.user clause 2: ")


async def test_staged_effects_are_part_of_the_breakdown(place: Place):
    await place.cycle(place.compiled())
    found = await place.impact(place.compiled(NARROW, guarded(disables=1)))
    assert [trip.effects for trip in found.exceeded] == [3]
    assert [each.count for each in found.breakdown.leavers] == [3]


GUARDED: dict[str, tuple[dict[str, int], dict[str, int], dict[str, int]]] = {
    "disables": ({"disables": 1}, {"disables": 3}, {}),
    "memberships follow": (
        {"disables": 1, "memberRemovals": 2},
        {"disables": 3},
        {"memberRemovals": 4},
    ),
    "groups follow": (
        {"disables": 1, "groupsEmptied": 0},
        {"disables": 3},
        {"groupsEmptied": 1},
    ),
    "both follow": (
        {"disables": 1, "memberRemovals": 2, "groupsEmptied": 0},
        {"disables": 3},
        {"memberRemovals": 4, "groupsEmptied": 1},
    ),
}


async def allow(place: Place, trips: Sequence[ExceededBudget]) -> None:
    later = place.clock() + timedelta(hours=1)
    for each in trips:
        await place.store.save_allowance(
            Allowance(stage=each.digest, job="people", operator="Ann", until=later)
        )


@pytest.mark.parametrize("case", GUARDED)
async def test_allowing_all_objections_of_a_plan_unblocks_the_cycle(
    place: Place, case: str
):
    """Memberships are removed after the disable, where a second guard objects."""
    most, trips, following = GUARDED[case]
    await place.cycle(place.compiled())
    changed = place.compiled(NARROW, guarded(**most))

    found = await place.impact(changed)

    assert {each.guard: each.effects for each in found.exceeded} == trips
    assert {each.guard: each.effects for each in found.exceeded_later} == following
    # Effects that two budgets count are in one stage, which is decided once.
    assert len({each.digest for each in found.exceeded_later}) == bool(following)
    await allow(place, [*found.exceeded, *found.exceeded_later])
    again = await place.impact(changed)
    assert (again.exceeded, again.exceeded_later) == ((), ())
    cycle = await place.cycle(changed)
    assert (cycle.state, cycle.counts.staged) == ("succeeded", 0)
    assert (cycle.counts.disable, cycle.counts.member_remove) == (3, 4)
    assert await place.store.list_stages("people") == []


@pytest.mark.parametrize("staged", [False, True])
async def test_later_effects_are_added_to_the_staged_ones(
    place: Place, *, staged: bool
):
    """Two people leave a group; two more do when their disable is allowed."""
    before = place.compiled()
    await place.cycle(before)
    whole = directory()
    for number in (3, 4):
        whole = whole.replace(f"member: CN=P{number},OU=People,DC=contoso,DC=com\n", "")
    (place.folder / "contoso.ldif").write_text(whole, encoding="utf-8")
    changed = place.compiled(NARROW, guarded(disables=1, memberRemovals=1))
    if staged:
        assert (await place.cycle(changed)).state == "blocked"

    found = await place.impact(changed)

    trips = {each.guard: each.effects for each in found.exceeded}
    assert trips == {"disables": 3, "memberRemovals": 2}
    [later] = found.exceeded_later
    assert (later.guard, later.effects, later.total) == (
        "memberRemovals",
        4 if staged else 6,
        6,
    )
    await allow(place, [*found.exceeded, later])
    cycle = await place.cycle(changed)
    assert (cycle.state, cycle.counts.member_remove) == ("succeeded", 6)


async def test_reason_of_a_deleted_person_is_the_deletion(place: Place):
    registration = place.compiled()
    await place.cycle(registration)
    whole = directory().replace(person(6, "Branch") + "\n\n", "")
    whole = whole.replace("numEntries: 14", "numEntries: 13")
    (place.folder / "contoso.ldif").write_text(whole, encoding="utf-8")

    found = (await place.impact(registration)).breakdown

    assert [(each.reason, each.count) for each in found.leavers] == [
        ("deleted in the directory", 1)
    ]


async def test_reason_of_an_escrow_names_the_target_attribute_and_the_fault(
    place: Place,
):
    wrong = ('title: "[title]"', "title: 'Error(\"No title.\")'")
    found = (await place.impact(place.compiled(wrong))).breakdown
    assert [(each.reason, each.count) for each in found.escrow_reasons] == [
        ("mapping-fault: title: No title.", 6)
    ]


WITH_IMPACT = [
    NARROW,
    ('nickName: "[cn]"', 'nickName: "[info]"'),
    ('  title: "[title]"\n', ""),
    ONLY_PEOPLE,
    UNUSED,
    ("mappings: [people]\n", "mappings: [people]\nguard: {disables: {max: 1}}\n"),
]


@pytest.mark.parametrize("named", [True, False])
async def test_json_of_a_plan_is_valid_by_its_schema(place: Place, *, named: bool):
    registered = place.compiled()
    await place.cycle(registered)
    plan = await place.planned(registered, place.compiled(*WITH_IMPACT), named=named)

    data = plan.to_shape()
    plain = json.loads(msgspec.json.encode(data))
    assert list(validator().iter_errors(plain)) == []
    assert ("samples" in data["impact"]["people"]) is named
    assert [each["guard"] for each in data["guards"]] == ["disables"]
    assert {each["removed"] for each in data["consequences"]} == {"type", "attributes"}


async def test_markdown_and_html_show_the_impact_before_the_changes(
    place: Place, capsys: pytest.CaptureFixture[str]
):
    registered = place.compiled()
    await place.cycle(registered)
    changed = place.compiled(*WITH_IMPACT)
    unnamed = await place.planned(registered, changed, named=False)
    state = Path("other state")
    bare = await place.planned(registered, changed, named=True)
    plan = add_state_to_plan(bare, state)
    assert unnamed.impact_digest == plan.impact_digest

    show_plan(bare, state)
    text = capsys.readouterr().out
    markdown, html = render_markdown(plan), render_html(plan)

    clause = "leaves scope: filters.user clause 2: department ne "
    for page in (text, markdown, html):
        assert clause in page
        assert "Values by attribute" in page
        assert "--by NAME --state 'other state'" in unescape(page)
        assert "p3@contoso.com" in page
        assert "p3@contoso.com" not in render_markdown(unnamed)
    assert "      user  nickName   0    3" in text
    assert "<td>nickName</td><td>0</td><td>3</td>" in markdown
    for page in (markdown, html):
        assert page.index(clause) < page.index("~ Scope staff")
        assert page.count("<table>") == page.count("</table>") > 0
