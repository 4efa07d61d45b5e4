"""What a tree may have read for those who may not apply it: what is registered."""

from __future__ import annotations

from msgspec.structs import replace

from cloudforest.base.errors import Refused
from cloudforest.model.registration import Registration, Target
from cloudforest.provisioning.explaining.arriving import shown_attributes

ANOTHER_TARGET = "A target differs from the registered one; role `apply` sees."

_ANOTHER_ATTRIBUTE = (
    "The registered job {} does not show {}; role `apply` sees what a tree adds."
)


def has_targets_of(registered: Registration | None, other: Registration) -> bool:
    """Tell whether each target of the other is registered, whatever its name."""
    held = [_nameless(each) for each in registered.targets] if registered else []
    return all(_nameless(each) in held for each in other.targets)


def require_known(
    registered: Registration | None, other: Registration, job: str
) -> None:
    """Raise Refused where who may not apply would see what nobody registered."""
    if not has_targets_of(registered, other):
        raise Refused(ANOTHER_TARGET)
    held = registered.programs.get(job) if registered else None
    known = shown_attributes(held) if held else frozenset()
    new = shown_attributes(other.programs[job]) - known
    if new:
        raise Refused(_ANOTHER_ATTRIBUTE.format(job, ", ".join(sorted(new))))


def _nameless(target: Target) -> Target:
    return replace(target, name="", formerly=None)
