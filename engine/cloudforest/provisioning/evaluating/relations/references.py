"""From objects to the writes of their references: after both ends exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from cloudforest.model.program import Rule
from cloudforest.model.provisioning import (
    PHASE_REFERENCE,
    Change,
    Effect,
    Flat,
    Presence,
    ReferenceChange,
)
from cloudforest.provisioning.evaluating.evaluation import is_creation
from cloudforest.provisioning.evaluating.item import Item, identifier
from cloudforest.provisioning.run import Run

ADD_ONLY = frozenset({"ValueAddOnly", "AttributeAddOnly", "MultiValueAddOnly"})
"""Flow types that leave alone a reference that is there."""


@dataclass(frozen=True)
class Ends:
    """The objects that references may name.

    `resources` has the resource ids that there are, `presences` what the jobs of the
    target say of those that they have rows of.
    """

    resources: Mapping[str, str | None] = field(default_factory=dict)
    presences: Mapping[str, Presence] = field(default_factory=dict)

    def named(self, guids: Sequence[str]) -> str | None:
        return next((each for each in guids if each in self.resources), None)


async def known_ends(run: Run, named: Sequence[str]) -> Ends:
    """Return the objects that a reference may name before all are evaluated."""
    if not named:
        return Ends()
    known = await run.store.known(run.rows, run.job.target, named)
    resources = await run.store.resource_ids(run.job.target, named)
    presences = await run.store.presences(run.jobs.all, named)
    return Ends({guid: resources.get(guid) for guid in known}, presences)


def _cleared(
    rule: Rule, current: str | None, *, unless: str | None = None
) -> ReferenceChange | None:
    if current is None or rule.when_null == "keep":
        return None
    return ReferenceChange(path=rule.target, to=None, before=current, unless=unless)


def _missing(rule: Rule, current: str | None, guid: str) -> ReferenceChange | None:
    """Name who has no resource by the objectGUID: all that is known of everybody."""
    if current == guid:
        return None
    return ReferenceChange(path=rule.target, to=guid, before=current, missing=True)


def _change(
    item: Item, rule: Rule, current: str | None, ends: Ends
) -> ReferenceChange | None:
    """Compare one reference with what the target holds.

    A directory drops a reference to a deleted object without a word. One to an object
    out of scope stays for as long as that has a resource.
    """
    if current is not None and rule.flow_type in ADD_ONLY:
        return None
    named = item.desired.references.get(rule.target, ())
    guids = [each for each in named if ends.presences.get(each) != "gone"]
    if not guids:
        return _cleared(rule, current)
    to = ends.named(guids)
    if to is None and rule.export_missing_references:
        return _missing(rule, current, guids[0])
    left = next((each for each in guids if ends.presences.get(each) == "out"), None)
    if left is not None and to in {left, None}:
        deleted = item.mapper.program.deprovision.out_of_scope == "delete"
        if to is None or (deleted and ends.resources[to] == current):
            return _cleared(rule, current, unless=left)
    if to is None or (current is not None and ends.resources[to] == current):
        return None
    return ReferenceChange(path=rule.target, to=to, before=current)


def _current(item: Item, main: Effect | None) -> Flat:
    """Return what we last wrote, or what an adoption found or a creation will write."""
    if item.link is not None and item.matched is None:
        return item.link.written
    return {each.path: each.after for each in main.changes} if main else {}


def _is_known(item: Item, path: str, ends: Ends) -> bool:
    guids = item.desired.references.get(path, ())
    return not guids or ends.named(guids) is not None


def _still_cleared(
    prior: Effect | None, rule: Rule, current: str | None
) -> ReferenceChange | None:
    """Go on clearing what was to be cleared, when who it named is forgotten by now."""
    elder = ReferenceChange(path=rule.target, to=None, before=current)
    dropped = prior.references if prior and current is not None else ()
    found = any(replace(each, unless=None) == elder for each in dropped)
    return elder if found else None


def reference(
    item: Item, main: Effect | None, *, ends: Ends, prior: Effect | None = None
) -> Effect | None:
    """Return the write of the references that differ from what the target holds.

    Without another write of the object (`main`), it counts as an update.
    """
    values = _current(item, main)
    wanted = []
    old = item.link is not None and prior is None
    for path, rule in item.mapper.references.items():
        if old and rule.flow_type == "ObjectAddOnly":
            continue
        current = identifier(values.get(path))
        change = _change(item, rule, current, ends)
        if change is None and not _is_known(item, path, ends):
            change = _still_cleared(prior, rule, current)
        wanted.append(change)
    needed = tuple(each for each in wanted if each is not None)
    if not needed:
        return None
    blanks = any(each.to is None and each.unless is None for each in needed)
    return replace(
        item.effect(),
        key=f"{item.row.id}/r",
        action="reference" if main else "update",
        phase=PHASE_REFERENCE,
        references=needed,
        guards=("attributesBlanked",) if blanks else (),
    )


def with_references(item: Item, main: Effect | None, ends: Ends) -> Effect | None:
    """Let a creation say at once which linked objects it refers to."""
    if main is None or main.state != "pending" or not is_creation(main):
        return main
    changes = []
    for path in item.mapper.references:
        to = ends.named(item.desired.references.get(path, ()))
        if to is None or ends.presences.get(to, "in") not in {"in", "unknown"}:
            continue
        if resource := ends.resources[to]:
            changes.append(Change(path=path, after=resource))
    return replace(main, changes=(*main.changes, *changes)) if changes else main
