"""Answers about changes that the directory itself does not report."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.directory import (
    PEOPLE,
    SALES,
    STAFF,
    Domain,
    answered,
    entry,
    request,
)

from cloudforest.agent.answer import Responder
from cloudforest.agent.bound_request import UNREADABLE_DN_REASON
from cloudforest.model.messages import (
    Clause,
    InScope,
    Lookup,
    Members,
    MovedContainers,
    OutOfScope,
    Page,
    ScopeMembers,
    Unknown,
)
from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import ScopeProgram, TypeFilter
from cloudforest.program.scoping.filter_syntax import parse_filter

ELSEWHERE = "OU=Staff,DC=contoso,DC=com"
BERLIN = f"OU=Berlin,{PEOPLE}"
GROUPED = ScopeProgram(types=("user",), organizational_units=None, groups=(STAFF,))


def unit(guid: str, dn: str) -> Entry:
    return replace(entry(guid, None), dn=dn)


def delta(entry: Entry, **attributes: tuple[str, ...]) -> Entry:
    """Return the entry as DirSync reports it: only what changed."""
    return replace(
        entry, is_partial=True, classes=frozenset(), attributes=attributes, members=()
    )


def filtered(text: str) -> ScopeProgram:
    return ScopeProgram(
        types=("user",),
        organizational_units=(PEOPLE,),
        filters={"user": TypeFilter(text=text, tree=parse_filter(text))},
    )


async def watermark(domain: Domain, **fields: object) -> str | None:
    _, closing = await answered(domain, request(**fields))
    return closing.watermark


async def test_objects_below_a_moved_container_are_answered_again():
    berlin = unit("berlin", BERLIN)
    ada = entry("u1", unit=BERLIN, department="Sales")
    other = entry("u2", unit=BERLIN, department="HR")
    domain = Domain([ada, other, entry("u3", department="Sales"), berlin])
    held = await watermark(domain)
    domain.deltas = [delta(berlin)]

    records, closing = await answered(domain, request(watermark=held))

    assert records[0] == MovedContainers(ids=("berlin",))
    assert [type(each) for each in records[1:]] == [InScope, OutOfScope]
    assert [each.id for each in records[1:]] == ["u1", "u2"]
    assert closing.full == ()


async def test_container_below_a_moved_one_is_reported_and_read_once():
    people, berlin = unit("people", PEOPLE), unit("berlin", BERLIN)
    deep = unit("deep", f"OU=Deep,{BERLIN}")
    elsewhere = unit("elsewhere", ELSEWHERE)
    domain = Domain([people, berlin, deep, elsewhere, entry("u1", unit=BERLIN)])
    held = await watermark(domain)
    domain.deltas = [delta(each) for each in (deep, people, berlin, elsewhere)]

    records, _ = await answered(domain, request(watermark=held))

    named = [set(each.ids) for each in records if isinstance(each, MovedContainers)]
    assert named == [{"people", "berlin", "deep"}, {"elsewhere"}]
    assert [where for where, kind in domain.read_below if kind == "user"] == [
        "people",
        "elsewhere",
    ]
    assert domain.wanted_below == {"container": None, "user": SALES.tree}


async def test_deleted_container_yields_no_record():
    berlin = unit("berlin", BERLIN)
    domain = Domain([berlin, entry("u1", unit=BERLIN)])
    held = await watermark(domain)
    domain.deltas = [replace(delta(berlin), is_deleted=True)]

    records, _ = await answered(domain, request(watermark=held))

    assert records == []


async def test_moved_containers_come_in_parts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cloudforest.agent.bound_request.GUIDS_PER_RECORD", 2)
    units = [unit(f"o{n}", f"OU={n},{PEOPLE}") for n in range(4)]
    domain = Domain([unit("people", PEOPLE), *units])
    held = await watermark(domain)
    domain.deltas = [delta(domain.entries[0])]

    records, _ = await answered(domain, request(watermark=held))

    assert [len(each.ids) for each in records if isinstance(each, MovedContainers)] == [
        2,
        2,
        1,
    ]


async def test_lost_container_cookie_makes_the_whole_import_full():
    domain = Domain([entry("u1", department="Sales"), unit("berlin", BERLIN)])
    held = await watermark(domain)
    domain.refuses_cookies = True

    records, closing = await answered(domain, request(watermark=held))

    assert [type(each) for each in records] == [InScope]
    assert domain.asked[2:] == [("container", "container-2"), ("user", None)]
    assert closing.full == ("user",)


async def test_initial_import_is_full_and_incremental_one_is_not():
    domain = Domain([entry("u1", department="Sales")])
    scope = ScopeProgram(types=("user", "group"), organizational_units=None)

    _, first = await answered(domain, request(scope=scope))
    _, second = await answered(domain, request(scope=scope, watermark=first.watermark))

    assert first.full == ("user", "group")
    assert second.full == ()


async def test_scope_members_are_sent_when_they_change():
    domain = Domain([])
    records, first = await answered(domain, request(scope=GROUPED))
    assert records == [ScopeMembers(ids=("u1",))]
    assert first.members

    asked = request(scope=GROUPED, watermark=first.watermark)
    records, same = await answered(domain, asked)
    assert records == []
    assert not same.members

    domain.groups[STAFF] = frozenset(f"u{number:04}" for number in range(1_001))
    records, other = await answered(domain, asked)
    assert [len(each.ids) for each in records if isinstance(each, ScopeMembers)] == [
        500,
        500,
        1,
    ]
    assert other.members


async def test_scope_that_lost_all_members_is_reported():
    domain = Domain([])
    held = await watermark(domain, scope=GROUPED)
    domain.groups[STAFF] = frozenset()

    records, closing = await answered(domain, request(scope=GROUPED, watermark=held))

    assert records == []
    assert closing.members


async def test_scope_without_groups_has_no_members():
    _, closing = await answered(Domain([]), request())

    assert not closing.members


async def test_renamed_ou_keeps_its_binding():
    people = unit("ou-guid", ELSEWHERE)
    domain = Domain([people, entry("u1", unit=ELSEWHERE, department="Sales")])
    domain.bindings = {ELSEWHERE: "ou-guid"}

    records, closing = await answered(domain, request(bindings={PEOPLE: "ou-guid"}))

    assert [type(each) for each in records] == [InScope]
    assert closing.bindings == {PEOPLE: "ou-guid"}
    assert closing.complete


async def test_renamed_scope_group_keeps_its_members_in_scope():
    renamed = f"CN=Everybody,{ELSEWHERE}"
    group = replace(entry("staff-guid", "group"), dn=renamed)
    domain = Domain([group, entry("u1")])
    domain.bindings = {renamed: "staff-guid"}
    domain.groups = {renamed: frozenset({"u1"})}

    records, closing = await answered(
        domain, request(scope=GROUPED, bindings={STAFF: "staff-guid"})
    )

    assert records[0] == ScopeMembers(ids=("u1",))
    assert isinstance(records[1], InScope)
    assert closing.bindings == {STAFF: "staff-guid"}


async def test_another_object_with_the_dn_of_an_ou_is_refused():
    domain = Domain([entry("u1", department="Sales")])

    records, closing = await answered(domain, request(bindings={PEOPLE: "old-guid"}))

    assert records == []
    assert not closing.complete
    assert PEOPLE in (closing.error or "")
    assert "cloudforest job restart people --reset Full" in (closing.error or "")


async def test_deleted_ou_is_refused():
    tombstone = replace(unit("ou-guid", ELSEWHERE), is_deleted=True)
    domain = Domain([tombstone, entry("u1", department="Sales")])
    domain.bindings = {}

    records, closing = await answered(domain, request(bindings={PEOPLE: "ou-guid"}))

    assert records == []
    assert f"{PEOPLE}, not found in contoso.com" in (closing.error or "")


@pytest.mark.parametrize("kind", ["import", "read"])
async def test_ou_renamed_during_the_read_makes_the_answer_incomplete(kind: str):
    domain = Domain([entry("u1", department="Sales")])
    answer = Responder("sync01", {"contoso.com": domain}, page_bytes=100_000)
    lookups = (Lookup(by="guid", value="u1"),)
    last: Page | None = None

    real = domain.shows_all_values

    async def renamed() -> bool:
        domain.bindings = {ELSEWHERE: "ou-guid"}
        return await real()

    domain.shows_all_values = renamed  # type: ignore[method-assign]
    async for page in answer(request(kind=kind, lookups=lookups)):
        last = page

    assert last is not None
    assert last.closing is not None
    assert not last.closing.complete
    assert "moved or renamed while" in (last.closing.error or "")


async def test_out_of_scope_names_hidden_attributes_but_not_cleared_ones():
    ada, bob = entry("u1", mail="a@x"), entry("u2", department="HR")
    domain = Domain([ada, bob])
    held = await watermark(domain)
    domain.deltas = [delta(ada, mail=("a@x",)), delta(bob, title=())]

    hidden, _ = await answered(domain, request(watermark=held))
    domain.deltas = [delta(ada, department=())]
    cleared, _ = await answered(domain, request(watermark=held))

    assert hidden == [
        OutOfScope(id="u1", rests_on=("department",)),
        OutOfScope(id="u2"),
    ]
    assert cleared == [OutOfScope(id="u1")]
    assert domain.proofs == [(["u1"], ["department"])]


async def test_hidden_attribute_that_changed_does_not_count_as_cleared():
    domain = Domain([entry("u1"), entry("u2")])
    held = await watermark(domain)
    domain.deltas = [delta(each, department=()) for each in domain.entries]
    domain.hidden = frozenset({"department"})

    records, _ = await answered(domain, request(watermark=held))

    assert records == [
        OutOfScope(id=guid, rests_on=("department",)) for guid in ("u1", "u2")
    ]
    assert domain.proofs == [(["u1", "u2"], ["department"])]


async def test_attribute_that_the_scope_does_not_read_needs_no_proof():
    inside, elsewhere = entry("u1", department="Sales"), entry("u2", department="HR")
    domain = Domain([inside, elsewhere])
    held = await watermark(domain)
    domain.deltas = [delta(inside, mail=()), delta(elsewhere, mail=())]

    records, _ = await answered(domain, request(watermark=held))

    assert [type(each) for each in records] == [InScope, OutOfScope]
    assert domain.proofs == []


async def test_object_without_visible_class_is_unknown():
    bare = replace(entry("u1", None), classes=frozenset())
    domain = Domain([bare])

    records, _ = await answered(
        domain, request(kind="read", lookups=(Lookup(by="guid", value="u1"),))
    )

    assert records == [Unknown(id="u1")]


async def test_changed_group_has_only_the_members_of_the_delta():
    group = replace(entry("g1", "group", cn="Team"), members=("u1", "u2", "u3"))
    scope = ScopeProgram(types=("group",), organizational_units=None)
    domain = Domain([group])
    asked = {"group": ("cn", "member")}
    held = await watermark(domain, scope=scope, attributes=asked)
    domain.deltas = [replace(delta(group), members=("u3",), former_members=("u4",))]
    domain.read_attributes = set()

    records, _ = await answered(
        domain,
        request(scope=scope, attributes=asked, watermark=held),
    )

    # The query for changes asks for members; reading again does not.
    assert records[1:] == [
        Members(id="g1", add=("u3",)),
        Members(id="g1", remove=("u4",)),
    ]
    assert "cn" in domain.reread_attributes
    assert "member" not in domain.reread_attributes


async def test_read_reports_all_members_of_a_group_even_if_empty():
    team = replace(entry("g1", "group"), members=("u1", "u2"))
    empty = entry("g2", "group")
    scope = ScopeProgram(types=("group",), organizational_units=None)
    lookups = tuple(Lookup(by="guid", value=guid) for guid in ("g1", "g2"))

    records, _ = await answered(
        Domain([team, empty]),
        request(
            kind="read", scope=scope, attributes={"group": ("member",)}, lookups=lookups
        ),
    )

    assert [each for each in records if isinstance(each, Members)] == [
        Members(id="g1", add=("u1", "u2")),
        Members(id="g2"),
    ]


async def test_explain_reports_whether_each_clause_holds():
    text = 'department eq "Sales" and (title pr or not (mail sw "x"))'
    domain = Domain([entry("u1", department="HR", title="Boss"), entry("u2")])
    lookups = tuple(Lookup(by="guid", value=guid) for guid in ("u1", "u2"))
    asked = request(kind="read", scope=filtered(text), lookups=lookups, explain=True)

    [out, _], _ = await answered(domain, asked)

    assert isinstance(out, OutOfScope)
    assert out.clauses == (
        Clause(text="not excluded", holds=True),
        Clause(text="type: user", holds=True),
        Clause(text="organizationalUnits", holds=True),
        Clause(text="filters.user", holds=False),
        Clause(text='filters.user clause 1: department eq "Sales"', holds=False),
        Clause(text='filters.user clause 2: title pr or not (mail sw "x")', holds=True),
    )


async def test_clauses_are_reported_only_for_an_explained_read():
    domain = Domain([entry("u1", department="Sales"), entry("u2")])
    lookups = tuple(Lookup(by="guid", value=guid) for guid in ("u1", "u2"))

    read, _ = await answered(domain, request(kind="read", lookups=lookups))
    imported, _ = await answered(domain, request(explain=True))

    for each in (*read, *imported):
        assert isinstance(each, InScope | OutOfScope)
        assert each.clauses == ()


async def test_import_reports_missing_rights():
    domain = Domain([])
    domain.lacks = ("Replicating Directory Changes",)

    _, closing = await answered(domain, request())

    assert closing.lacks == ("Replicating Directory Changes",)


async def test_in_scope_names_hidden_attributes_but_not_cleared_ones():
    ada = entry("u1", department="IT")
    domain = Domain([ada])
    either = filtered('department eq "IT" or title eq "Boss"')
    held = await watermark(domain)
    domain.deltas = [delta(ada, mail=("a@x",))]
    hidden, _ = await answered(domain, request(watermark=held, scope=either))
    domain.deltas = [delta(ada, title=())]
    cleared, _ = await answered(domain, request(watermark=held, scope=either))

    assert [each.hidden for each in (*hidden, *cleared)] == [("title",), ()]


NESTED = ScopeProgram(
    types=("user",), organizational_units=None, groups=(STAFF,), nested_groups=True
)


def nested_domain() -> Domain:
    """Return a domain whose group Staff contains `inner`, which contains u2."""
    domain = Domain([entry("u2")])
    domain.groups = {STAFF: frozenset({"u1", "inner"}), "inner": frozenset({"u2"})}
    domain.nested = frozenset({"inner"})
    return domain


async def test_hidden_nested_group_does_not_prove_that_its_members_left():
    domain, lookups = nested_domain(), (Lookup(by="guid", value="u2"),)
    _, before = await answered(domain, request(scope=NESTED))
    assert before.nested == ("inner",)
    asked = request(kind="read", scope=NESTED, lookups=lookups, nested=before.nested)

    domain.nested = frozenset()
    hidden, closing = await answered(domain, asked)
    domain.groups[STAFF] = frozenset({"u1"})
    left, _ = await answered(domain, asked)

    assert hidden == [
        OutOfScope(id="u2", clause="groups", rests_on=("member:staff-guid",))
    ]
    assert closing.nested == ("inner",)
    assert left == [OutOfScope(id="u2", clause="groups")]


async def test_scope_that_stops_following_nested_groups_drops_their_members():
    domain, lookups = nested_domain(), (Lookup(by="guid", value="u2"),)
    flat = ScopeProgram(types=("user",), organizational_units=None, groups=(STAFF,))
    domain.nested = frozenset()
    domain.groups["inner"] = frozenset()
    asked = request(kind="read", scope=flat, lookups=lookups, nested=("inner",))
    left, closing = await answered(domain, asked)
    assert left == [OutOfScope(id="u2", clause="groups")]
    assert closing.nested == ()


async def test_object_with_unreadable_dn_is_unknown():
    ada = replace(entry("u1", department="Sales"), dn="CN=Ada,no name")
    bob = replace(entry("u2", department="HR"), dn="CN=Bob,no name")

    records, _ = await answered(Domain([ada, bob]), request())

    assert records == [
        Unknown(id="u1", reason=UNREADABLE_DN_REASON),
        OutOfScope(id="u2"),
    ]


async def test_mapped_attribute_is_missing_until_proven_empty():
    ada, bob = entry("u1", department="Sales"), entry("u2", department="HR")
    domain = Domain([ada, bob])
    domain.hides = True
    held = await watermark(domain)
    domain.deltas = [delta(ada, mail=()), delta(bob, mail=())]

    cleared, _ = await answered(domain, request(watermark=held))
    proofs = list(domain.proofs)
    domain.hidden = frozenset({"mail"})
    hidden, _ = await answered(domain, request(watermark=held))

    for records, missing in ((cleared, ()), (hidden, ("mail",))):
        (shown,) = [each for each in records if isinstance(each, InScope)]
        assert (shown.id, shown.missing) == ("u1", missing)
    # Objects out of scope need no proof; one query covers the others.
    assert proofs == [(["u1"], ["mail"])]


async def test_read_proves_the_requested_attributes():
    people = [entry(f"u{n}", department="Sales") for n in range(3)]
    domain = Domain([*people, entry("u3", department="Sales", mail="c@x")])
    domain.hides = True
    lookups = tuple(
        Lookup(by="guid", value=each.object_guid) for each in domain.entries
    )

    bare, _ = await answered(domain, request(kind="read", lookups=lookups))
    assert domain.proofs == []
    proved, _ = await answered(
        domain, request(kind="read", lookups=lookups, prove=("mail", "title"))
    )

    assert [each.missing for each in bare] == [("mail",)] * 3 + [()]
    assert {each.id: each.missing for each in proved} == dict.fromkeys(
        ("u0", "u1", "u2", "u3"), ()
    )
    assert domain.proofs == [(["u0", "u1", "u2"], ["mail"])]
