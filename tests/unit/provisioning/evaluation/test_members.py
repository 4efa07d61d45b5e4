"""Memberships: what is sent to the target, and how refused members are handled."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from tests.support.memory_target import MemoryResource, MemoryTarget
from tests.support.world import World, guid

from cloudforest.model.messages import Lookup
from cloudforest.model.ports.target import Refusal, ResourceNotFound
from cloudforest.model.registration import Budget, Registration
from cloudforest.provisioning.evaluation import members
from cloudforest.provisioning.explanation.explain import explain_object

A_DAY = timedelta(hours=25)


async def test_job_moved_to_another_target_fills_its_groups_there(
    world: World,
):
    one = world.person(1)
    group = world.group(20, one)
    await world.cycle()
    world.registration = _moved(world.registration())  # type: ignore[method-assign]
    world.target = MemoryTarget()

    cycle = await world.cycle()

    assert cycle.state == "succeeded"
    assert world.members_of(group) == {one}
    assert (await world.cycle()).requests == 0


def _moved(old: Registration):
    target = msgspec.structs.replace(old.targets[0], name="cloud2")
    one = Budget(max=1, percent=0, base=1, window=86400)
    job = msgspec.structs.replace(old.jobs[0], target="cloud2", guard={"creates": one})
    return lambda: msgspec.structs.replace(old, targets=(target,), jobs=(job,))


class Particular(MemoryTarget):
    """A target that refuses unknown members with `status`."""

    def __init__(self, status: int = 400) -> None:
        super().__init__()
        self.status = status

    async def change_members(self, resource_type, resource, *, add, remove):
        if any(each not in self.resources_by_id for each in add):
            self.requests += 1
            kind = ResourceNotFound if self.status == 404 else Refusal
            raise kind(self.status, "Unknown member.")
        await super().change_members(resource_type, resource, add=add, remove=remove)


async def _with_a_bad_member(world: World, status: int) -> tuple[str, list[str]]:
    world.target = Particular(status)
    world.profile = msgspec.structs.replace(world.profile, max_members_per_request=100)
    people = [world.person(number) for number in range(1, 10)]
    await world.cycle()
    del world.target.resources_by_id[world.id_of(people[0])]
    await world.read_all()
    return world.group(20, *people), people


@pytest.mark.parametrize("status", [400, 404])
async def test_bad_member_holds_back_only_itself(world: World, status: int):
    group, people = await _with_a_bad_member(world, status)

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.member_add) == ("partial", 8)
    assert world.members_of(group) == set(people[1:])
    soon = await world.cycle()
    assert (soon.state, soon.counts.escrow, soon.requests) == ("partial", 1, 0)
    (held,) = await world.escrowed()
    assert (held.add, held.attempts) == ((people[0],), 1)


async def test_escrowed_member_does_not_hold_back_later_members(
    world: World,
):
    group, people = await _with_a_bad_member(world, 404)
    await world.cycle()
    late = world.person(11)
    world.group(20, *people, late)
    await world.read_all()

    cycle = await world.cycle()

    assert cycle.counts.member_add == 1
    assert world.members_of(group) == {*people[1:], late}
    world.clock.now += A_DAY
    (held,) = await world.escrowed()
    assert held.attempts == 1
    await world.cycle()
    (held,) = await world.escrowed()
    assert held.attempts == 2


async def test_missing_group_is_not_tried_again_for_each_member(world: World):
    group, people = await _with_a_bad_member(world, 400)
    world.members[group] = set(people[1:])
    await world.cycle()
    del world.target.resources_by_id[world.id_of(group)]
    late = [world.person(number) for number in range(30, 40)]
    world.group(20, *people[1:], *late)
    await world.read_all()
    before = world.target.requests

    cycle = await world.cycle()

    assert cycle.counts.escrow == 10
    # Two lookups and a creation for each, one change, and one check of the group.
    assert world.target.requests - before == 3 * len(late) + 2
    (reason,) = {each.reason for each in await world.escrowed()}
    assert reason is not None
    assert reason.startswith("gone-at-target")


async def test_present_members_count_only_after_the_group_is_adopted(world: World):
    class Stubborn(MemoryTarget):
        stubborn = True

        async def modify(self, *arguments):
            if self.stubborn:
                raise Refusal(400, "The target does not change this.")
            await super().modify(*arguments)

    world.target = target = Stubborn()
    one = world.person(1)
    group = world.group(20, one, cn="Team")
    same = {"userName": "p1@contoso.com", "displayName": "Person 1", "active": True}
    target.resources_by_id["p"] = MemoryResource("User", {"externalId": one, **same})
    target.resources_by_id["g"] = MemoryResource(
        "Group", {"displayName": "Team"}, {"p"}
    )
    await world.cycle()
    del target.resources_by_id["g"]
    target.stubborn = False
    world.clock.now += timedelta(minutes=5)

    await world.cycle()

    assert world.members_of(group) == {one}


async def test_group_is_emptied_when_no_member_in_the_target_is_left(world: World):
    one = world.person(1)
    group = world.group(20, one, guid(77))
    await world.cycle()
    world.members[group] = {guid(77)}
    world.guard = {"groupsEmptied": Budget(max=0, percent=0, base=1, window=86400)}
    await world.read_all()

    cycle = await world.cycle()

    assert (cycle.state, cycle.counts.staged) == ("blocked", 1)
    assert world.members_of(group) == {one}


async def test_explain_counts_escrowed_members_separately(world: World):
    group, people = await _with_a_bad_member(world, 400)
    await world.cycle()

    explanation = await explain_object(world.run(), Lookup(by="guid", value=group))

    act = next(each for each in explanation["steps"] if each["step"] == "act")
    members = act["detail"]["members"]
    assert (members["add"], members["remove"], members["escrow"]) == (0, 0, 1)
    assert members["firstAdded"] == []
    assert act["result"] == "escrow"
    assert len(people) > 1


async def test_group_of_many_batches_is_loaded_once(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(members, "BATCH", 3)
    loaded: list[str] = []
    emptied_groups = world.store.find_emptied_groups

    async def spied(jobs, cycle, groups):
        loaded.extend(groups)
        return await emptied_groups(jobs, cycle, groups)

    monkeypatch.setattr(world.store, "find_emptied_groups", spied)
    people = [world.person(number) for number in range(1, 11)]
    large, small = world.group(20, *people), world.group(21, *people[:2])

    await world.cycle()

    assert sorted(loaded) == sorted([large, small])
    assert world.members_of(large) == set(people)
    assert world.members_of(small) == set(people[:2])
