"""The guarantees of every target, on scim2-server and our built-in directory."""

from __future__ import annotations

import asyncio

import pytest

from cloudforest.model.effects import Change
from cloudforest.model.ports.target import Conflict, Refusal, ResourceNotFound

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MANAGER = f"{ENTERPRISE}:manager"
WORK_MAIL = 'emails[type eq "work"].value'
ZOE = {
    "userName": "zoe@contoso.com",
    "externalId": "3F2504E0-4F89-11D3-9A0C-0305E82C3301",
    "displayName": "Zoë O'Brien",
    "active": True,
    "name.givenName": "Zoë",
    WORK_MAIL: "zoe@contoso.com",
    f"{ENTERPRISE}:department": "Sales",
}


async def _values(target, id_, *paths):
    found = await target.find("User", "id", id_, paths)
    assert len(found) == 1
    return found[0].values


async def test_created_resource_is_found_with_its_values(target):
    id_ = await target.create("User", ZOE)
    (found,) = await target.find("User", "externalId", ZOE["externalId"], tuple(ZOE))
    assert found.id == id_
    assert found.values == ZOE


async def test_user_name_is_found_case_insensitively(target):
    id_ = await target.create("User", ZOE)
    (found,) = await target.find("User", "userName", "ZOE@Contoso.com", ())
    assert found.id == id_


async def test_external_id_is_compared_exactly(target):
    await target.create("User", ZOE)
    assert not await target.find("User", "externalId", ZOE["externalId"].lower(), ())


@pytest.mark.parametrize("name", ['a"b', "a\\b", 'x" or userName pr or "', "Zoë ☃ + %"])
async def test_values_with_any_character_are_found(target, name):
    id_ = await target.create("User", {**ZOE, "userName": name})
    (found,) = await target.find("User", "userName", name, ("userName",))
    assert (found.id, found.values) == (id_, {"userName": name})


async def test_mail_address_is_found(target):
    id_ = await target.create("User", ZOE)
    (found,) = await target.find("User", WORK_MAIL, ZOE[WORK_MAIL], ())
    assert found.id == id_


@pytest.mark.parametrize("path", ["userName", WORK_MAIL, "name.givenName"])
async def test_many_values_are_looked_up_at_once(target, path):
    held = [f"p{number}@contoso.com" for number in range(3)]
    for name in held:
        await target.create("User", {"userName": name, path: name})
    free = [f"q{number}@contoso.com" for number in range(50)]
    before = target.requests
    taken = await target.find_taken_values(
        "User", path, [*free, held[2].upper(), held[0]]
    )
    assert taken == {held[2].upper(), held[0]}
    assert target.requests - before <= 6


async def test_missing_resource_is_not_found(target):
    assert await target.find("User", "userName", "nobody@contoso.com", ()) == ()


async def test_duplicate_name_is_a_conflict(target):
    await target.create("User", ZOE)
    with pytest.raises(Conflict) as conflict:
        await target.create("User", {**ZOE, "userName": ZOE["userName"].upper()})
    assert conflict.value.status == 409
    assert "contoso.com" not in conflict.value.reason.replace("contoso.com/v2", "")


async def test_refusal_names_the_error_but_no_value(target):
    with pytest.raises(Refusal) as refusal:
        await target.create("User", {"displayName": "Nameless Person"})
    assert refusal.value.status == 400
    assert "Nameless" not in refusal.value.reason


async def test_mail_address_is_added_replaced_and_removed(target):
    id_ = await target.create("User", {"userName": "zoe@contoso.com"})
    for before, after in ((None, "a@contoso.com"), ("a@contoso.com", "b@contoso.com")):
        change = Change(path=WORK_MAIL, before=before, after=after)
        await target.modify("User", id_, [change])
        assert await _values(target, id_, WORK_MAIL) == {WORK_MAIL: after}
    await target.modify("User", id_, [Change(path=WORK_MAIL, before="b@contoso.com")])
    assert await _values(target, id_, WORK_MAIL) == {}


async def test_only_changed_values_are_written(target):
    id_ = await target.create("User", ZOE)
    await target.modify(
        "User",
        id_,
        [
            Change(path="displayName", before=ZOE["displayName"], after="Zoë Miller"),
            Change(path="name.givenName", before="Zoë"),
            Change(path=f"{ENTERPRISE}:department", before="Sales", after="Law"),
            Change(path="active", before=True, after=False),
        ],
    )
    assert await _values(target, id_, *ZOE) == {
        **{path: value for path, value in ZOE.items() if path != "name.givenName"},
        "displayName": "Zoë Miller",
        f"{ENTERPRISE}:department": "Law",
        "active": False,
    }


async def test_manager_is_set_and_removed(target):
    boss = await target.create("User", {"userName": "boss@contoso.com"})
    id_ = await target.create("User", ZOE)
    await target.modify("User", id_, [Change(path=MANAGER, after=boss)])
    assert await _values(target, id_, MANAGER) == {MANAGER: boss}
    await target.modify("User", id_, [Change(path=MANAGER, before=boss)])
    assert await _values(target, id_, MANAGER) == {}


async def test_modify_without_changes_sends_no_request(target):
    id_ = await target.create("User", ZOE)
    before = target.requests
    await target.modify("User", id_, [])
    await target.change_members("Group", id_, add=[], remove=[])
    assert target.requests == before


async def test_250_members_are_written_in_requests_of_100(target, server):
    group = await target.create("Group", {"displayName": "Everybody"})
    members = [f"member-{number}" for number in range(250)]
    before = server.counts()["PATCH"]
    await target.change_members("Group", group, add=members, remove=[])
    assert server.counts()["PATCH"] - before == 3
    assert await target.list_member_ids("Group", group) == frozenset(members)
    await target.change_members("Group", group, add=[], remove=members[:120])
    assert server.counts()["PATCH"] - before == 5
    assert await target.list_member_ids("Group", group) == frozenset(members[120:])


async def test_adding_existing_members_is_accepted(target):
    group = await target.create("Group", {"displayName": "Everybody"})
    await target.change_members("Group", group, add=["a", "b"], remove=[])
    await target.change_members("Group", group, add=["b", "c"], remove=[])
    assert await target.list_member_ids("Group", group) == {"a", "b", "c"}


async def test_write_to_a_missing_resource_is_not_found(target):
    with pytest.raises(ResourceNotFound):
        await target.modify("User", "gone", [Change(path="title", after="Boss")])
    with pytest.raises(ResourceNotFound):
        await target.list_member_ids("Group", "gone")


async def test_delete_removes_the_resource(target):
    id_ = await target.create("User", ZOE)
    group = await target.create("Group", {"displayName": "Everybody"})

    await target.delete("User", id_)
    await target.delete("Group", group)

    assert await target.find("User", "userName", ZOE["userName"], ()) == ()
    with pytest.raises(ResourceNotFound):
        await target.delete("User", id_)
    assert await target.create("User", ZOE) != id_


async def test_300_resources_are_listed_once_each(target, server):
    names = {f"user{number}@contoso.com" for number in range(300)}
    await asyncio.gather(*(target.create("User", {"userName": name}) for name in names))
    before = server.counts()["GET"]
    found = [each async for each in target.list_resources("User", ("userName",))]
    assert sorted(each.values["userName"] for each in found) == sorted(names)
    assert len({each.id for each in found}) == 300
    assert server.counts()["GET"] - before == 3


async def test_list_without_resources_is_empty(target):
    assert [
        each async for each in target.list_resources("Group", ("displayName",))
    ] == []


async def test_requests_are_counted(target):
    await target.find("User", "userName", "zoe", ())
    assert target.requests == 1
