from __future__ import annotations

import base64

import pytest
from tests.support.directory import (
    HEAD,
    PEOPLE,
    SALES,
    STAFF,
    Domain,
    answered,
    entry,
    request,
)

from cloudforest.agent.answer import Responder
from cloudforest.model.messages import (
    Closing,
    InScope,
    Lookup,
    Members,
    OutOfScope,
    SyncRequest,
    Tombstone,
    Unknown,
    encode_page,
)
from cloudforest.model.ports.directory import Entry
from cloudforest.model.program import Compare, ScopeProgram, TypeFilter


async def test_object_in_scope_has_only_the_requested_attributes():
    ada = entry("u1", department="Sales", mail="ada@contoso.com", title="Boss")

    records, _ = await answered(Domain([ada]), request())

    assert records == [
        InScope(
            id="u1",
            type="user",
            dn=ada.dn,
            parent="ou-guid",
            anchor="u1",
            attributes={"mail": ("ada@contoso.com",)},
            seen=("department",),
        )
    ]


async def test_object_out_of_scope_crosses_the_bus_as_its_guid_only():
    domain = Domain([entry("u1", department="HR", mail="secret@contoso.com")])
    answer = Responder("sync01", {"contoso.com": domain}, page_bytes=100_000)

    pages = [page async for page in answer(request())]

    assert pages[0].records == (OutOfScope(id="u1"),)
    for text in (b"secret", b"HR", b"CN=u1", b"filters"):
        assert text not in encode_page(pages[0])


async def test_anchor_is_the_consistency_guid_if_set():
    person = entry("u1", department="Sales", ms_ds_consistencyguid="anchor-1")
    domain = Domain([person])

    [record], _ = await answered(domain, request())

    assert isinstance(record, InScope)
    assert record.anchor == "anchor-1"
    assert record.attributes == {}
    assert "sourceanchor" not in domain.read_attributes


async def test_members_of_a_large_group_come_in_parts_of_500():
    everybody = tuple(f"u{number}" for number in range(1_201))
    group = entry("g1", "group", cn="Everybody")
    group = Entry(**{**group.__dict__, "members": everybody})
    scope = ScopeProgram(types=("group",), organizational_units=None)
    asked = request(scope=scope, attributes={"group": ("cn", "member")})

    [described, *members], _ = await answered(Domain([group]), asked)

    assert isinstance(described, InScope)
    assert described.attributes == {"cn": ("Everybody",)}
    assert [len(each.add) for each in members if isinstance(each, Members)] == [
        500,
        500,
        201,
    ]


async def test_each_type_is_read_once_contacts_first_and_groups_last():
    scope = ScopeProgram(types=("group", "user", "contact"), organizational_units=None)
    domain = Domain([])

    await answered(domain, request(scope=scope))

    assert [kind for kind, _ in domain.asked] == [
        "container",
        "contact",
        "user",
        "group",
    ]


async def test_directory_gets_the_scoping_filter_of_each_type():
    domain = Domain([])
    types = ("user", "group")
    scope = ScopeProgram(
        types=types, organizational_units=None, filters={"user": SALES}
    )

    await answered(domain, request(scope=scope))

    assert domain.wanted == {"container": None, "user": SALES.tree, "group": None}


async def test_watermark_carries_the_cookie_of_each_type():
    domain = Domain([entry("u1", department="Sales")])
    _, first = await answered(domain, request())

    records, _ = await answered(domain, request(watermark=first.watermark))

    assert domain.asked[2:] == [("container", "container-2"), ("user", "user-2")]
    assert records == []


async def test_foreign_watermark_starts_a_full_read():
    domain = Domain([])
    for watermark in ("?", base64.b64encode(b"[1]").decode()):
        await answered(domain, request(watermark=watermark))

    assert {cookie for _, cookie in domain.asked} == {None}


async def test_changed_object_is_read_again_before_its_scope_is_evaluated():
    now = entry("u1", department="Sales", mail="ada@contoso.com")
    domain = Domain([now])
    changed = Entry(**{**entry("u1").__dict__, "is_partial": True, "attributes": {}})
    vanished = Entry(**{**changed.__dict__, "object_guid": "u9"})
    tombstone = Entry(**{**changed.__dict__, "object_guid": "u8", "is_deleted": True})
    domain.deltas = [changed, vanished, tombstone]
    _, first = await answered(domain, request())

    records, _ = await answered(domain, request(watermark=first.watermark))

    assert [type(each) for each in records] == [Tombstone, InScope, Unknown]
    assert [each.id for each in records] == ["u8", "u1", "u9"]


@pytest.mark.parametrize(
    "where", ["organizational_units", "one_level", "excepted", "groups"]
)
async def test_scope_with_a_missing_ou_or_group_reads_nothing(where: str):
    gone = "OU=Gone,DC=contoso,DC=com"
    fields = {"organizational_units": (PEOPLE,), where: (gone,)}
    scope = ScopeProgram(types=("user",), **fields)
    domain = Domain([entry("u1")])

    records, closing = await answered(domain, request(scope=scope))

    assert records == []
    assert not closing.complete
    assert gone in (closing.error or "")
    assert PEOPLE not in (closing.error or "")
    assert domain.asked == []


@pytest.mark.parametrize(
    ("nested", "expected"), [(False, ["u1"]), (True, ["u1", "u2"])]
)
async def test_members_of_a_scope_group_are_in_scope(
    *, nested: bool, expected: list[str]
):
    scope = ScopeProgram(
        types=("user",),
        organizational_units=None,
        groups=(STAFF,),
        nested_groups=nested,
    )
    domain = Domain([entry("u1"), entry("u2"), entry("u3")])

    records, closing = await answered(domain, request(scope=scope))

    assert [each.id for each in records if isinstance(each, InScope)] == expected
    assert closing.bindings == {STAFF: "staff-guid"}
    assert closing.directory == HEAD


async def test_answer_is_incomplete_if_the_directory_fails_midway():
    domain = Domain([entry("u1", department="Sales"), entry("u2")], fails_after=1)

    records, closing = await answered(domain, request())

    assert [each.id for each in records] == ["u1"]
    assert closing == Closing(complete=False, error="dc1 stopped answering.")


async def test_read_is_incomplete_if_the_directory_says_so():
    domain = Domain([])
    domain.complete = False

    _, closing = await answered(domain, request())

    assert not closing.complete


@pytest.mark.parametrize(
    "asked",
    [
        request(attributes={"user": ("mail", "unixUserPassword")}),
        request(
            scope=ScopeProgram(
                types=("user",),
                organizational_units=None,
                filters={
                    "user": TypeFilter(
                        text='ms-Mcs-AdmPwd sw "a"',
                        tree=Compare(
                            attribute="ms-mcs-admpwd", operator="sw", value="a"
                        ),
                    )
                },
            )
        ),
        request(
            kind="read",
            lookups=(Lookup(by="attribute", attribute="userPassword", value="a"),),
        ),
    ],
    ids=["attribute", "filter", "lookup"],
)
async def test_forbidden_attribute_is_never_read(asked: SyncRequest):
    domain = Domain([entry("u1")])

    records, closing = await answered(domain, asked)

    assert records == []
    assert not closing.complete
    assert "secrets" in (closing.error or "")
    assert domain.read_attributes == set()


@pytest.mark.parametrize("name", ["*", "+", "2.5.4.35", ""])
async def test_wildcard_or_oid_is_not_read_as_an_attribute(name: str):
    lookup = Lookup(by="attribute", attribute=name, value="a")
    for asked in (
        request(attributes={"user": ("mail", name)}),
        request(kind="read", lookups=(lookup,)),
    ):
        domain = Domain([entry("u1")])

        records, closing = await answered(domain, asked)

        assert records == []
        assert "not the name of a directory attribute" in (closing.error or "")
        assert domain.read_attributes == set()


async def test_domain_that_the_agent_does_not_read_is_refused():
    records, closing = await answered(Domain([]), request(domain="fabrikam.com"))

    assert records == []
    assert "fabrikam.com" in (closing.error or "")


async def test_read_answers_in_out_gone_or_unknown_with_the_clause():
    tombstone = Entry(**{**entry("u3").__dict__, "is_deleted": True})
    domain = Domain(
        [
            entry("u1", department="Sales"),
            entry("u2", department="HR"),
            tombstone,
        ]
    )
    lookups = tuple(Lookup(by="guid", value=guid) for guid in ("u1", "u2", "u3", "u4"))

    records, closing = await answered(domain, request(kind="read", lookups=lookups))

    assert isinstance(records[0], InScope)
    assert records[1:] == [
        OutOfScope(id="u2", clause="filters.user"),
        Tombstone(id="u3"),
        Unknown(id="u4"),
    ]
    assert closing.complete
    assert closing.watermark is None


async def test_another_domain_than_the_bound_one_is_refused():
    domain = Domain([entry("u1", department="Sales")])
    records, closing = await answered(domain, request(directory="another-head"))
    assert (records, closing.complete) == ([], False)
    assert "another domain as contoso.com" in (closing.error or "")
    records, closing = await answered(domain, request(directory=HEAD))
    assert (len(records), closing.error) == (1, None)
