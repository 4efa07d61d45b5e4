"""A value that the directory no longer shows stays until it is proved to be gone."""

from __future__ import annotations

from msgspec.structs import replace
from tests.unit.provisioning.world import JOB, World

from cloudforest.model.messages import Lookup
from cloudforest.provisioning.explaining.explain import explain


def hide(world: World, id_: str, *names: str) -> None:
    """Let a person show no value for some attributes, as if they had been cleared."""
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


async def test_a_hidden_value_is_kept_and_shown_as_unknown(world: World):
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
    assert await world.store.unknown_objects(JOB, 5) == (1, (ada,))

    world.delta = []
    questions = len(world.asked)
    await world.cycle()
    assert len(world.asked) == questions + 1


async def test_a_value_that_is_proved_to_be_gone_is_cleared(world: World):
    ada = await with_ada(world)
    hide(world, ada, "title")
    world.delta = [world.objects[ada]]
    # Asked by objectGUID, the agent proves it.
    world.objects[ada] = replace(world.objects[ada], missing=())

    await world.cycle()

    assert "title" not in world.of("User")[ada]
    assert await world.store.unknown_objects(JOB, 5) == (0, ())


async def test_a_full_read_blanks_nothing_that_is_hidden(world: World):
    ada = await with_ada(world)
    hide(world, ada, "title")
    world.closing = replace(world.closing, full=("user", "group"))
    world.delta = list(world.objects.values())

    cycle = await world.cycle()

    assert cycle.requests == 0
    assert await world.store.unknown_objects(JOB, 5) == (1, (ada,))


async def test_what_changes_meanwhile_is_written_and_what_shows_again_counts(
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
    assert await world.store.unknown_objects(JOB, 5) == (0, ())


async def test_explain_says_what_is_kept_and_why(world: World):
    ada = await with_ada(world)
    hide(world, ada, "title")

    told = await explain(world.run(), Lookup(by="guid", value=ada))

    steps = {each["step"]: each for each in told["steps"]}
    assert steps["import"]["detail"]["kept"]["attributes"] == ["title"]
    assert steps["act"]["result"] == "nothing"
