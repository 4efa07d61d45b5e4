"""What must change for a resource to look as desired, under each rule's flow type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from cloudforest.model.effects import Change
from cloudforest.model.program import Rule
from cloudforest.model.source import Flat
from cloudforest.program.faults import MappingFault, ValueFault
from cloudforest.program.mapping.types import converter
from cloudforest.program.scim.path import parse_path

_NOTHING: Flat = {}


def same(before: Any, after: Any) -> bool:
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


def _always(rule: Rule, before: Any, wanted: Any) -> Any:
    """Keep what stands for a null: what the rule keeps, and the default value."""
    if wanted is not None:
        return wanted
    stays = rule.when_null == "keep" or same(before, _first_value(rule, None))
    return before if stays else None


def _has_whole(before: Flat, path: str) -> bool:
    """Tell whether the attribute that the path belongs to has a value."""
    whole = parse_path(path).whole
    return any(
        parse_path(each).whole == whole
        for each, value in before.items()
        if value is not None
    )


def _next_value(rule: Rule, before: Flat, wanted: Any) -> Any:
    """Return what an existing resource should hold; what it has leaves it alone."""
    had = before.get(rule.target)
    match rule.flow_type:
        case "Always":
            return _always(rule, had, wanted)
        case "ObjectAddOnly":
            return had
        case "MultiValueAddOnly" if rule.multi:
            return _with_added(had, wanted)
        case "AttributeAddOnly":
            return had if _has_whole(before, rule.target) else wanted
        case "ValueAddOnly" | "MultiValueAddOnly":
            return wanted if had is None else had


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
            after = _next_value(rule, before, wanted)
        if not same(had, after):
            adds = rule.flow_type == "MultiValueAddOnly" and not creating
            yield Change(
                path=path, before=had, after=after, how="add" if adds else "set"
            )


def _with_last(made: Iterable[Change], before: Flat, others: Flat) -> Iterator[Change]:
    """Mark what leaves nothing of a chosen value: a shell would be in the way later."""
    made = tuple(made)
    held = others | before | {change.path: change.after for change in made}
    left = {parse_path(path).element for path, each in held.items() if each is not None}
    for change in made:
        path = parse_path(change.path)
        is_last = path.key is not None and path.element not in left
        yield replace(change, how="last") if is_last else change


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
    before: Flat,
    desired: Flat,
    rules: Iterable[Rule],
    *,
    creating: bool,
    others: Flat = _NOTHING,
) -> tuple[Change, ...]:
    """Return the changes that lead from what was written to what is desired.

    On create, nulls are dropped and default values count. Later, a null removes only
    what `before` holds, and only if the rule clears. References are not compared here.
    A last Change from a value to itself may say that another part of the same e-mail or
    address is there already (see `patch_operations`). `others` is what the target holds
    beside `before`: an address that holds any of it stays. Raises MappingFault.
    """
    made = tuple(_changed(before, desired, rules, creating=creating))
    if creating:
        return made
    return (*_with_last(made, before, others), *_witnesses(made, before))


def unchanged(
    made: Iterable[Change], desired: Flat, rules: Iterable[Rule]
) -> tuple[Change, ...]:
    """Return what goes along with other changes although it is as it was."""
    differing = {each.path for each in made}
    return tuple(
        Change(path=rule.target, before=value, after=value, how="again")
        for rule in rules
        if (rule.flow_behavior, rule.flow_type) == ("FlowAlways", "Always")
        and rule.target not in differing
        and (value := desired.get(rule.target)) is not None
    )
