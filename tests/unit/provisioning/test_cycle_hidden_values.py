"""A value that the directory hides stays until it is proven clear."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.support.leavers import leave
from tests.support.world import JOB, MANAGER, World

from cloudforest.model.messages import Lookup
from cloudforest.provisioning.explanation.explain import explain_object


def hide(world: World, id_: str, *names: str) -> None:
    """Hide some attributes of a person, as if they had been cleared."""
    shown = world.objects[id_]
    left = {name: held for name, held in shown.attributes.items() if name not in names}
    world.objects[id_] = replace(shown, attributes=left, missing=names)


async def with_ada(world: World) -> str:
    ada = world.person(1, title="Head", disabled="yes")
    world.person(2, title="Clerk")
    await world.cycle()
    assert world.of("User")[ada]["title"] == "Head"
    assert world.of("User")[ada]["active"] is False
    return ada


async def test_hidden_value_is_kept_and_listed_as_unknown(world: World):
    ada = await with_ada(world)
    hide(world, ada, "disabled", "title")
    world.delta = [world.objects[ada]]

    cycle = await world.cycle()

    assert cycle.requests == 0
    assert world.of("User")[ada]["title"] == "Head"
    assert world.of("User")[ada]["active"] is False
    asked = world.asked[-1]
    assert (asked.kind, asked.prove) == ("read", ("disabled", "title"))
    assert [each.value for each in asked.lookups] == [ada]
    assert await world.store.list_unknown_objects(JOB, 5) == (1, (ada,))

    world.delta = []
    questions = len(world.asked)
    await world.cycle()
    assert len(world.asked) == questions + 1


async def test_value_that_is_proven_clear_is_cleared(world: World):
    ada = await with_ada(world)
    hide(world, ada, "title")
    world.delta = [world.objects[ada]]
    # The agent proves it when it reads the object by objectGUID.
    world.objects[ada] = replace(world.objects[ada], missing=())

    await world.cycle()

    assert "title" not in world.of("User")[ada]
    assert await world.store.list_unknown_objects(JOB, 5) == (0, ())


async def test_full_import_clears_no_hidden_value(world: World):
    ada = await with_ada(world)
    hide(world, ada, "title")
    world.closing = replace(world.closing, full=("user", "group"))
    world.delta = list(world.objects.values())

    cycle = await world.cycle()

    assert cycle.requests == 0
    assert await world.store.list_unknown_objects(JOB, 5) == (1, (ada,))


async def test_other_changes_are_written_and_a_value_that_shows_again_counts(
    world: World,
):
    ada = await with_ada(world)
    hide(world, ada, "title")
    shown = world.objects[ada]
    renamed = {**shown.attributes, "displayname": ("Ada",)}
    world.objects[ada] = replace(shown, attributes=renamed)
    world.delta = [world.objects[ada]]
    await world.cycle()
    assert world.of("User")[ada]["displayName"] == "Ada"
    assert world.of("User")[ada]["title"] == "Head"

    world.person(1, title="Boss", disabled="yes")
    world.delta = [world.objects[ada]]
    await world.cycle()
    assert world.of("User")[ada]["title"] == "Boss"
    assert await world.store.list_unknown_objects(JOB, 5) == (0, ())


async def test_explain_names_the_kept_value_and_the_reason(world: World):
    ada = await with_ada(world)
    hide(world, ada, "title")

    told = await explain_object(world.run(), Lookup(by="guid", value=ada))

    steps = {each["step"]: each for each in told["steps"]}
    assert steps["import"]["detail"]["kept"]["attributes"] == ["title"]
    assert steps["act"]["result"] == "nothing"


async def _with_a_group(world: World) -> tuple[str, list[str]]:
    people = [world.person(1), world.person(2)]
    group = world.group(20, *people)
    await world.cycle()
    assert world.members_of(group) == {*people}
    world.members[group] = set()
    world.objects[group] = replace(world.objects[group], missing=("member",))
    return group, people


@pytest.mark.parametrize("asked", [True, False])
async def test_group_that_hides_its_members_keeps_them(world: World, *, asked: bool):
    group, people = await _with_a_group(world)
    world.delta = []
    if asked:
        await world.store.add_inquiries(JOB, [group])
    else:
        world.closing = replace(world.closing, full=("user", "group"))
        world.delta = list(world.objects.values())

    cycle = await world.cycle()

    assert cycle.requests == 0
    assert world.members_of(group) == {*people}
    assert world.asked[-1].prove == ("member",)
    assert await world.store.list_unknown_objects(JOB, 5) == (1, (group,))


async def test_group_that_is_proven_empty_loses_its_members(world: World):
    group, _ = await _with_a_group(world)
    world.closing = replace(world.closing, full=("user", "group"))
    world.delta = list(world.objects.values())
    world.objects[group] = replace(world.objects[group], missing=())

    await world.cycle()

    assert world.members_of(group) == set()
    assert await world.store.list_unknown_objects(JOB, 5) == (0, ())


@pytest.mark.parametrize("known", [True, False])
async def test_returning_object_with_a_hidden_value_keeps_the_written_one(
    world: World, *, known: bool
):
    boss = world.person(9)
    ada = world.person(1, title="Head", disabled="yes", manager=boss)
    await world.cycle()
    before = world.of("User")[ada]
    assert before[MANAGER]
    if known:
        leave(world, ada)
        await world.cycle()
        world.answers.pop(ada)
    else:
        await world.store.drop_job_data(JOB)
    world.person(1, displayname="Ada", disabled="yes")
    hide(world, ada, "title", "manager")
    world.delta = [world.objects[ada]]

    await world.cycle()

    assert world.of("User")[ada] == before | {"displayName": "Ada"}
    assert world.asked[-1].prove == ("manager", "title")
    assert await world.store.list_unknown_objects(JOB, 5) == (1, (ada,))
    assert (await world.cycle()).requests == 0

    world.objects[ada] = replace(world.objects[ada], missing=())
    world.delta = [world.objects[ada]]
    await world.cycle()
    assert "title" not in world.of("User")[ada]
    assert MANAGER not in world.of("User")[ada]
