"""What a tree may have read for those who may not apply it: what is registered."""

from __future__ import annotations

from msgspec.structs import replace

from cloudforest.model.program import JobProgram
from cloudforest.model.registration import Registration, Target
from cloudforest.provisioning.explaining.arriving import shown_attributes

_ANOTHER_TARGET = "A target differs from the registered one; role `apply` sees."
_ANOTHER_ATTRIBUTE = (
    "What is registered of the job {} does not show {}; role `apply` sees what a tree "
    "adds."
)


def unseen(
    registered: Registration | None, other: Registration, job: str, *, values: bool
) -> str | None:
    """Say what nobody registered that who may not apply is kept from, or None.

    Another target would be sent secrets; `values`: those of people would be told.
    """
    if not _has_targets_of(registered, other):
        return _ANOTHER_TARGET
    held = registered.programs.get(job) if registered else None
    program = other.programs.get(job)
    new = _shows(program, held) if values and program else frozenset()
    return _ANOTHER_ATTRIBUTE.format(job, ", ".join(sorted(new))) if new else None


def _shows(program: JobProgram, held: JobProgram | None) -> frozenset[str]:
    """Return what a program shows and the one registered does not.

    What was written of a path that is not sensitive any longer is shown beside the new
    value, wherever that comes from.
    """
    if held is None:
        return shown_attributes(program)
    unhidden = _paths(program, sensitive=False) & _paths(held, sensitive=True)
    attributes = shown_attributes(program) - shown_attributes(held)
    return attributes | {path for _, path in unhidden}


def _paths(program: JobProgram, *, sensitive: bool) -> frozenset[tuple[str, str]]:
    return frozenset(
        (mapping.source, rule.target)
        for mapping in program.mappings
        for rule in mapping.rules
        if rule.sensitive is sensitive
    )


def _has_targets_of(registered: Registration | None, other: Registration) -> bool:
    """Tell whether each target of the other is registered, whatever its name."""
    held = [_nameless(each) for each in registered.targets] if registered else []
    return all(_nameless(each) in held for each in other.targets)


def _nameless(target: Target) -> Target:
    return replace(target, name="", formerly=None)
