"""Flow rules, over whole cycles."""

from __future__ import annotations

from tests.unit.provisioning.world import guid, with_rule

from cloudforest.program.expressions.expression import parse_expression


async def test_an_object_whose_pattern_runs_away_is_escrowed_and_stops_nobody(world):
    runs_away = parse_expression('Replace([title], , "(a|aa)+$", , "x")')
    world.program = with_rule("title", runs_away)
    world.person(1, title="a" * 60 + "b")
    world.person(2, title="aaaa")
    cycle = await world.cycle()
    assert cycle.state == "partial"
    assert world.of("User")[guid(2)]["title"] == "x"
    assert guid(1) not in world.of("User")
    (held,) = await world.escrowed()
    assert held.id == guid(1)
    assert held.reason.startswith("mapping-fault: title: The regular expression")
