"""What must change for a resource to look as desired, under each rule's flow type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cloudforest.model.program import Rule
from cloudforest.model.provisioning import Change, Flat
from cloudforest.program.attribute.conversion import converter
from cloudforest.program.faults import MappingFault, ValueFault
from cloudforest.program.resource.path import parse_path


def _is_same(before: Any, after: Any) -> bool:
    """Compare; a directory's order of values means nothing, so lists have none."""
    if isinstance(before, list) and isinstance(after, list):
        return sorted(map(repr, before)) == sorted(map(repr, after))
    return bool(before == after)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _with_added(before: Any, wanted: Any) -> Any:
    kept = _listed(before)
    new = [each for each in _listed(wanted) if each not in kept]
    return [*kept, *new] if new else before


def _first_value(rule: Rule, wanted: Any) -> Any:
    """Put the default value in place of a null: on create only (Microsoft's rule)."""
    if wanted is None and rule.default_value is not None:
        try:
            return converter(rule)(rule.default_value)
        except ValueFault as fault:
            raise MappingFault(rule.target, fault.reason) from fault
    return wanted


def _next_value(rule: Rule, before: Any, wanted: Any) -> Any:
    """Return what an existing resource should hold; `before` leaves it alone."""
    if rule.flow_type == "ObjectAddOnly":
        return before
    if rule.flow_type == "MultiValueAddOnly" and rule.multi:
        return _with_added(before, wanted)
    if rule.flow_type != "Always":
        return wanted if before is None else before
    return before if wanted is None and rule.when_null == "keep" else wanted


def _changed(
    before: Flat, desired: Flat, rules: Iterable[Rule], *, creating: bool
) -> Iterator[Change]:
    for rule in rules:
        if rule.reference:
            continue
        path, wanted = rule.target, desired.get(rule.target)
        if creating:
            had, after = None, _first_value(rule, wanted)
        else:
            had = before.get(path)
            after = _next_value(rule, had, wanted)
        if not _is_same(had, after):
            yield Change(path=path, before=had, after=after)


def _witnesses(made: Iterable[Change], before: Flat) -> Iterator[Change]:
    """Yield what proves that a chosen value exists where all changes to it are new."""
    exists: dict[str, bool] = {}
    for change in made:
        path = parse_path(change.path)
        if path.key is not None:
            known = exists.get(path.element, False)
            exists[path.element] = known or change.before is not None
    unproved = {element for element, known in exists.items() if not known}
    for text, value in before.items() if unproved else ():
        element = parse_path(text).element
        if element in unproved and value is not None:
            unproved.remove(element)
            yield Change(path=text, before=value, after=value)


def changes(
    before: Flat, desired: Flat, rules: Iterable[Rule], *, creating: bool
) -> tuple[Change, ...]:
    """Return the changes that lead from what was written to what is desired.

    On create, nulls are dropped and default values count. Later, a null removes only
    what `before` holds, and only if the rule clears. References are not compared here.
    A last Change from a value to itself may say that another part of the same e-mail or
    address is there already (see `patch_operations`). Raises MappingFault.
    """
    made = tuple(_changed(before, desired, rules, creating=creating))
    return made if creating else (*made, *_witnesses(made, before))
