"""From one object to the write of its references: after both ends exist."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from cloudforest.model.program import Rule
from cloudforest.model.provisioning import (
    PHASE_REFERENCE,
    Effect,
    Flat,
    ReferenceChange,
)
from cloudforest.provisioning.evaluating.item import Item, blank_effect, identifier

Ends = Mapping[str, str | None]
"""The objects that a reference may name, with the resource id of those linked."""


def _change(
    rule: Rule, guids: tuple[str, ...], written: Flat, ends: Ends
) -> ReferenceChange | None:
    current = identifier(written.get(rule.target))
    if not guids:
        kept = current is None or rule.when_null == "keep"
        return None if kept else ReferenceChange(path=rule.target, to=None)
    to = next((guid for guid in guids if guid in ends), None)
    if to is None or (current is not None and ends[to] == current):
        return None
    return ReferenceChange(path=rule.target, to=to)


def reference(item: Item, *, alone: bool, ends: Ends) -> Effect | None:
    """Return the write of the references that differ from what we last wrote.

    `alone`: the object has no other write in this cycle, so that this one counts.
    """
    held = item.link.written if item.link else {}
    wanted = (
        _change(rule, item.desired.references.get(path, ()), held, ends)
        for path, rule in item.mapper.references.items()
    )
    needed = tuple(each for each in wanted if each is not None)
    if not needed:
        return None
    return replace(
        blank_effect(item.row, item.mapper, item.link),
        key=f"{item.row.id}/r",
        action="update" if alone else "reference",
        phase=PHASE_REFERENCE,
        references=needed,
        guards=("attributesBlanked",) if any(e.to is None for e in needed) else (),
    )
