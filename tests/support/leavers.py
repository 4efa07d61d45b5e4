"""People who leave the scope and come back."""

from __future__ import annotations

import msgspec
from tests.support.world import World, program

from cloudforest.model.messages import OutOfScope, Tombstone
from cloudforest.model.program import Deprovision, JobProgram


def deprovisioning(**modes: str) -> JobProgram:
    """Return the program with other deprovisioning modes for every type."""
    chosen = msgspec.convert(
        {"outOfScope": "disable", "deleted": "disable", **modes}, Deprovision
    )
    whole = program()
    mappings = tuple(
        msgspec.structs.replace(each, deprovision=chosen) for each in whole.mappings
    )
    return msgspec.structs.replace(whole, mappings=mappings)


DELETING = deprovisioning(outOfScope="delete", deleted="delete")


def leave(world: World, *ids: str, gone: bool = False) -> None:
    """Move objects out of scope, or delete them if `gone`, with a delta."""
    kind = Tombstone if gone else OutOfScope
    for id_ in ids:
        del world.objects[id_]
        world.answers[id_] = kind(id=id_)
    world.delta = [kind(id=id_) for id_ in ids]


def come(world: World, *records) -> None:
    world.delta = list(records)
    for each in records:
        world.answers.pop(each.id, None)
