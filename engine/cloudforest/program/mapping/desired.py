"""From a source object to the desired values of its resource, and the match key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from cloudforest.base.values import Value
from cloudforest.model.program import AttributeProgram, Call
from cloudforest.model.source import FlatResource, MatchValue, SourceObject
from cloudforest.program.expressions.analysis import SELECT_UNIQUE_VALUE
from cloudforest.program.expressions.evaluate import (
    compile_evaluator,
    prepare_attributes,
)
from cloudforest.program.expressions.function import (
    NO_CONTEXT,
    AttributeValues,
    Evaluate,
    EvaluationContext,
)
from cloudforest.program.expressions.values import as_items, as_text, is_empty
from cloudforest.program.faults import AttributeIgnored, MappingFault, ValueFault
from cloudforest.program.mapping.types import make_converter

T = TypeVar("T")
_NONE: frozenset[str] = frozenset()
CASE_EXACT_PATHS = frozenset({"externalId", "id"})
"""Paths whose values match with case (RFC 7643, 3.1)."""


class DesiredValues(Value, frozen=True):
    """The values that a mapping gives for one object, by SCIM path.

    `values` are JSON values, None for null; `references` are objectGUIDs, possibly
    none. `ignored` are the paths that the mapping leaves unchanged. `candidates` are
    values to choose from: a creation takes the first that is free in the target.
    """

    values: FlatResource
    references: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    candidates: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


def prepare_source_object(source: SourceObject) -> AttributeValues:
    """Return the object's attributes, including the computed ones."""
    prepared = prepare_attributes(source.attributes)
    prepared["sourceanchor"] = source.source_anchor
    prepared["objectguid"] = source.object_guid
    prepared["dn"] = source.dn
    return prepared


def _to_references(value: Any) -> tuple[str, ...]:
    return tuple(
        as_text(each).lower() for each in as_items(value) if not is_empty(each)
    )


class _CompiledRule(NamedTuple, Generic[T]):
    """One rule: its evaluator, and the conversion of the value."""

    path: str
    evaluate: Evaluate
    convert: Callable[[Any], T]


def _evaluate_rules(
    attributes: AttributeValues, rules: Iterable[_CompiledRule[T]], ignored: set[str]
) -> dict[str, T]:
    made = {}
    for path, evaluate, convert in rules:
        try:
            made[path] = convert(evaluate(attributes))
        except ValueFault as fault:
            raise MappingFault(path, fault.reason) from fault
        except AttributeIgnored:
            ignored.add(path)
    return made


def _evaluate_unique_values(
    attributes: AttributeValues,
    rules: dict[str, list[_CompiledRule[Any]]],
    ignored: set[str],
) -> dict[str, tuple[str, ...]]:
    made = {}
    for path, each in rules.items():
        values = [
            _evaluate_rules(attributes, [rule], ignored).get(path) for rule in each
        ]
        found = dict.fromkeys(str(value) for value in values if value is not None)
        if path in ignored:
            continue
        if not found:
            raise MappingFault(path, f"{SELECT_UNIQUE_VALUE} returns no value.")
        made[path] = tuple(found)
    return made


def compile_mapping(
    program: AttributeProgram, context: EvaluationContext = NO_CONTEXT
) -> Callable[[SourceObject], DesiredValues]:
    """Compile a mapping into a function of a source object.

    An empty text becomes null, because directory attributes are never empty. The
    function raises MappingFault and ObjectIgnored.
    """
    plain: list[_CompiledRule[Any]] = []
    references: list[_CompiledRule[tuple[str, ...]]] = []
    unique: dict[str, list[_CompiledRule[Any]]] = {}
    for rule in program.rules:
        path, call, convert = rule.target, rule.expression, make_converter(rule)
        if isinstance(call, Call) and call.function == SELECT_UNIQUE_VALUE:
            unique[path] = [
                _CompiledRule(path, compile_evaluator(each, context), convert)
                for each in call.arguments
                if each is not None
            ]
            continue
        evaluate = compile_evaluator(call, context)
        if rule.reference:
            references.append(_CompiledRule(path, evaluate, _to_references))
        else:
            plain.append(_CompiledRule(path, evaluate, convert))

    def map_object(source: SourceObject) -> DesiredValues:
        attributes = prepare_source_object(source)
        ignored: set[str] = set()
        return DesiredValues(
            values=_evaluate_rules(attributes, plain, ignored),
            references=_evaluate_rules(attributes, references, ignored)
            if references
            else {},
            candidates=_evaluate_unique_values(attributes, unique, ignored)
            if unique
            else {},
            ignored=frozenset(ignored) if ignored else _NONE,
        )

    return map_object


def make_match_key(path: str, value: MatchValue) -> str:
    """Return the text that two values share if they match at the path.

    Numbers, true and false match the text that spells them.
    """
    return as_text(value) if path in CASE_EXACT_PATHS else as_text(value).casefold()
