"""The changes that turn a resource into the desired one, by each rule's flow type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from cloudforest.model.effects import Change
from cloudforest.model.program import CompiledAttributeMapping
from cloudforest.model.source import FlatResource
from cloudforest.program.faults import MappingFault, ValueFault
from cloudforest.program.mapping.types import make_converter
from cloudforest.program.scim.path import parse_path

_EMPTY: FlatResource = {}


def is_same_value(one: Any, other: Any) -> bool:
    """Compare two values; lists compare without order, as directories have none."""
    if isinstance(one, list) and isinstance(other, list):
        return sorted(map(repr, one)) == sorted(map(repr, other))
    return bool(one == other)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _add_values(last_written: Any, desired: Any) -> Any:
    kept = _as_list(last_written)
    new = [each for each in _as_list(desired) if each not in kept]
    return [*kept, *new] if new else last_written


def _value_on_create(rule: CompiledAttributeMapping, desired: Any) -> Any:
    """Replace null by the default value; Microsoft does so on create only."""
    if desired is None and rule.default_value is not None:
        try:
            return make_converter(rule)(rule.default_value)
        except ValueFault as fault:
            raise MappingFault(rule.target, fault.reason) from fault
    return desired


def _value_under_always(
    rule: CompiledAttributeMapping, last_written: Any, desired: Any
) -> Any:
    """Return the value for Always.

    For a null, the rule may keep what was written, and the default value stays.
    """
    if desired is not None:
        return desired
    stays = rule.when_null == "keep" or is_same_value(
        last_written, _value_on_create(rule, None)
    )
    return last_written if stays else None


def _has_attribute(last_written: FlatResource, path: str) -> bool:
    """Tell whether the attribute of a path has any value."""
    whole = parse_path(path).attribute_path
    return any(
        parse_path(each).attribute_path == whole
        for each, value in last_written.items()
        if value is not None
    )


def _next_value(
    rule: CompiledAttributeMapping, last_written: FlatResource, desired: Any
) -> Any:
    """Return the next value of an existing resource, which may be the current one."""
    current = last_written.get(rule.target)
    match rule.flow_type:
        case "Always":
            return _value_under_always(rule, current, desired)
        case "ObjectAddOnly":
            return current
        case "MultiValueAddOnly" if rule.multi:
            return _add_values(current, desired)
        case "AttributeAddOnly":
            return current if _has_attribute(last_written, rule.target) else desired
        case "ValueAddOnly" | "MultiValueAddOnly":
            return desired if current is None else current


def _find_changes(
    last_written: FlatResource,
    desired: FlatResource,
    rules: Iterable[CompiledAttributeMapping],
    *,
    creating: bool,
) -> Iterator[Change]:
    for rule in rules:
        if rule.reference:
            continue
        path, value = rule.target, desired.get(rule.target)
        if creating:
            before, after = None, _value_on_create(rule, value)
        else:
            before = last_written.get(path)
            after = _next_value(rule, last_written, value)
        if not is_same_value(before, after):
            adds = rule.flow_type == "MultiValueAddOnly" and not creating
            yield Change(
                path=path, before=before, after=after, how="add" if adds else "set"
            )


def _mark_last_parts(
    changes: Iterable[Change], last_written: FlatResource, other_values: FlatResource
) -> Iterator[Change]:
    """Mark the change that clears the last part of an element.

    The PATCH then removes the element: an empty one would be in the way later.
    """
    changes = tuple(changes)
    values = (
        other_values | last_written | {change.path: change.after for change in changes}
    )
    left = {
        parse_path(path).element for path, each in values.items() if each is not None
    }
    for change in changes:
        path = parse_path(change.path)
        is_last = path.key is not None and path.element not in left
        yield replace(change, how="last") if is_last else change


def _find_existence_proofs(
    changes: Iterable[Change], last_written: FlatResource
) -> Iterator[Change]:
    """Yield a change that proves that an element exists, if none of the others does."""
    located = [(parse_path(each.path), each) for each in changes]
    unproved = {path.element for path, _ in located if path.key is not None}
    unproved -= {path.element for path, each in located if each.before is not None}
    for text, value in last_written.items() if unproved else ():
        element = parse_path(text).element
        if element in unproved and value is not None:
            unproved.remove(element)
            yield Change(path=text, before=value, after=value)


def compute_changes(
    last_written: FlatResource,
    desired: FlatResource,
    rules: Iterable[CompiledAttributeMapping],
    *,
    creating: bool,
    other_values: FlatResource = _EMPTY,
) -> tuple[Change, ...]:
    """Return the changes from what was last written to what is desired.

    On create, nulls are dropped and default values apply. Later, a null only removes
    what we wrote, and only if the rule clears. References are not compared. A Change
    from a value to itself may come last: it proves that an e-mail or address exists
    (see `make_patch_operations`). `other_values` are values of the target that we did
    not write: an address with any of them stays. Raises MappingFault.
    """
    made = tuple(_find_changes(last_written, desired, rules, creating=creating))
    if creating:
        return made
    return (
        *_mark_last_parts(made, last_written, other_values),
        *_find_existence_proofs(made, last_written),
    )


def find_flow_always(
    changes: Iterable[Change],
    desired: FlatResource,
    rules: Iterable[CompiledAttributeMapping],
) -> tuple[Change, ...]:
    """Return unchanged values to write again along with other changes."""
    differing = {each.path for each in changes}
    return tuple(
        Change(path=rule.target, before=value, after=value, how="again")
        for rule in rules
        if (rule.flow_behavior, rule.flow_type) == ("FlowAlways", "Always")
        and rule.target not in differing
        and (value := desired.get(rule.target)) is not None
    )
