"""From a source row to the values wanted of a resource.

When two values of an attribute that we match by are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from cloudforest.base.values import Value
from cloudforest.model.program import AttributeProgram, Call, Rule
from cloudforest.model.source import Flat, MatchValue, SourceRow
from cloudforest.program.expressions.analysis import UNIQUE
from cloudforest.program.expressions.evaluate import (
    NOWHERE,
    Setting,
    compile_prepared,
    prepared,
)
from cloudforest.program.expressions.function import Evaluate, Row
from cloudforest.program.expressions.values import is_empty, items, text
from cloudforest.program.faults import AttributeIgnored, MappingFault, ValueFault
from cloudforest.program.mapping.types import converter

T = TypeVar("T")
_NONE: frozenset[str] = frozenset()


class Desired(Value, frozen=True):
    """What one object should look like.

    `values`: SCIM path to JSON value, None for null. `references`: SCIM path to the
    objectGUIDs referred to, possibly none. `ignored` are the paths that the mapping
    leaves as they are, whatever that is; they have no value here. `candidates`: SCIM
    path to the values of which a creation takes the first that the target does not
    have.
    """

    values: Flat
    references: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    candidates: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


def attributes(source: SourceRow) -> Row:
    """Return the attributes and the computed ones (`reads.COMPUTED`)."""
    row = prepared(source.attributes)
    row["sourceanchor"], row["objectguid"] = source.anchor, source.id
    row["dn"] = source.dn
    return row


def _referred(value: Any) -> tuple[str, ...]:
    return tuple(text(each).lower() for each in items(value) if not is_empty(each))


class _Compiled(NamedTuple, Generic[T]):
    """One rule, ready: what it evaluates, and what becomes of the value."""

    path: str
    evaluate: Evaluate
    convert: Callable[[Any], T]


def _evaluated(
    row: Row, rules: Iterable[_Compiled[T]], ignored: set[str]
) -> dict[str, T]:
    made = {}
    for path, evaluate, convert in rules:
        try:
            made[path] = convert(evaluate(row))
        except ValueFault as fault:
            raise MappingFault(path, fault.reason) from fault
        except AttributeIgnored:
            ignored.add(path)
    return made


def _candidate_rules(rule: Rule, call: Call, setting: Setting) -> list[_Compiled[Any]]:
    """Compile each of the values that SelectUniqueValue chooses among."""
    convert = converter(rule)
    return [
        _Compiled(rule.target, compile_prepared(each, setting), convert)
        for each in call.arguments
        if each is not None
    ]


def _candidates(
    row: Row, rules: dict[str, list[_Compiled[Any]]], ignored: set[str]
) -> dict[str, tuple[str, ...]]:
    made = {}
    for path, each in rules.items():
        values = [_evaluated(row, [rule], ignored).get(path) for rule in each]
        found = dict.fromkeys(str(value) for value in values if value is not None)
        if not found and path not in ignored:
            raise MappingFault(path, f"{UNIQUE} makes no value.")
        made[path] = tuple(found)
    return {path: values for path, values in made.items() if path not in ignored}


def compile_program(
    program: AttributeProgram, setting: Setting = NOWHERE
) -> Callable[[SourceRow], Desired]:
    """Compile into a function of source rows: raises MappingFault and ObjectIgnored.

    An empty text is null: no directory attribute is empty, and no target should be told
    to keep an empty one.
    """
    plain: list[_Compiled[Any]] = []
    references: list[_Compiled[tuple[str, ...]]] = []
    unique: dict[str, list[_Compiled[Any]]] = {}
    for rule in program.rules:
        call = rule.expression
        if isinstance(call, Call) and call.function == UNIQUE:
            unique[rule.target] = _candidate_rules(rule, call, setting)
            continue
        evaluate = compile_prepared(rule.expression, setting)
        if rule.reference:
            references.append(_Compiled(rule.target, evaluate, _referred))
        else:
            plain.append(_Compiled(rule.target, evaluate, converter(rule)))

    def map_row(source: SourceRow) -> Desired:
        row = attributes(source)
        ignored: set[str] = set()
        return Desired(
            values=_evaluated(row, plain, ignored),
            references=_evaluated(row, references, ignored) if references else {},
            candidates=_candidates(row, unique, ignored) if unique else {},
            ignored=frozenset(ignored) if ignored else _NONE,
        )

    return map_row


CASE_EXACT = frozenset({"externalId", "id"})
"""Compared exactly (RFC 7643, 3.1); the other strings that we match by are not."""


def comparable(path: str, value: MatchValue) -> str:
    """Return a text that is equal for equal values of the path, and only for those.

    A number, true and false equal the text that spells them.
    """
    return text(value) if path in CASE_EXACT else text(value).casefold()
