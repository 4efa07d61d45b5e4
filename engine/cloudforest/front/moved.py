"""What moved since a saved plan was made: the registered, or the documents."""

from __future__ import annotations

from collections.abc import Sequence

from cloudforest.adapters.control.client import ControlPlaneClient, Registered
from cloudforest.base.canonical import digest
from cloudforest.base.errors import Refused, Stale
from cloudforest.model.registration import Registration
from cloudforest.plan.change import Change
from cloudforest.plan.difference import difference
from cloudforest.plan.plan import Plan, make_plan
from cloudforest.plan.planfile import SavedPlan

_MOVED = 8
"""Changes that are named; the rest are counted."""


async def refuse_stale(
    client: ControlPlaneClient, saved: SavedPlan, desired: Registration
) -> None:
    """Raise unless the plan is what the documents and the registered make today."""
    registered = await client.registration()
    moved = registered.revision != saved.plan.base
    if moved or digest(registered.registration) != saved.against:
        raise Stale(await _registered_since(client, saved, registered))
    again = make_plan(
        base=registered.revision,
        registered=registered.registration,
        desired=desired,
    )
    if digest(desired) != saved.tree:
        raise Stale(_written_since(saved.plan, again))
    if again.digest != saved.plan.digest:
        raise Refused("The plan was changed after it was made; plan again.")


async def _registered_since(
    client: ControlPlaneClient, saved: SavedPlan, registered: Registered
) -> str:
    """Say who registered what since the plan was made."""
    before = await client.revision(saved.plan.base)
    now = await client.revision(registered.revision)
    said = f"The plan was made against revision {saved.plan.base}, and "
    old = before.registration if before else None
    if now is None or digest(old) != saved.against:
        return f"{said}this control plane never had it; plan again."
    changes = [str(each) for each in difference(old, now.registration)]
    return (
        f"{said}revision {now.number} is registered now, by {now.operator} at "
        f"{now.time}. What moved: {_named(changes) or 'nothing that lasted'}. Plan "
        "again."
    )


def _written_since(shown: Plan, now: Plan) -> str:
    """Say which changes of the documents the plan does not show."""
    changes = _differing(shown.changes, now.changes)
    return (
        "The documents are no longer those that the plan was made of. What moved: "
        f"{_named(changes) or 'a value that no plan shows'}. Plan again."
    )


def _differing(shown: Sequence[Change], now: Sequence[Change]) -> list[str]:
    names = {(each.kind, each.name) for each in now}
    gone = [each for each in shown if (each.kind, each.name) not in names]
    new = [str(each) for each in now if each not in shown]
    return new + [f"no longer {each}" for each in gone]


def _named(changes: Sequence[str]) -> str:
    more = f" and {len(changes) - _MOVED} more" if len(changes) > _MOVED else ""
    return ", ".join(changes[:_MOVED]) + more
