"""Check filters for contradictions and mistakes.

A filter contradicts itself if each conjunction of its disjunctive normal form does.
`x eq "a" and x eq "b"` is a contradiction only where `x` has a single value: otherwise
any of the values may match.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import prod

from msgspec import structs

from cloudforest.compiler.document import Document, Mistakes
from cloudforest.compiler.tree import DocumentTree
from cloudforest.compiler.wording import restore_spelling
from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.ad_schema import SINGLE_VALUED
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.filter_syntax import (
    find_filter_mistakes,
    parse_filter,
)
from cloudforest.program.scoping.predicates import Attributes, compile_filter
from cloudforest.program.scoping.scope import EXCLUDED_CLASSES

MAX_CONJUNCTIONS = 256
_OPERATOR_VERBS = {
    "eq": "be",
    "co": "contain",
    "sw": "start with",
    "ew": "end with",
    "gt": "be above",
    "ge": "be at least",
    "lt": "be below",
    "le": "be at most",
    "has": "have",
    "pr": "be",
}
_DIAGNOSTIC_IDS = {
    "computed": "computed-attribute",
    "name": "reference-by-name",
    "date": "unreadable-date",
}


@dataclass(frozen=True)
class SignedComparison:
    """A comparison, or its negation; `ne` is a negated `eq`."""

    comparison: Compare | Present
    holds: bool
    operator: str = "pr"
    value: str = ""

    def holds_for(self, attributes: Attributes) -> bool:
        return compile_filter(self.comparison)(attributes) is self.holds

    @property
    def verb_phrase(self) -> str:
        """The comparison as a verb, such as `not start with "A"`."""
        negation = "" if self.holds else "not "
        return f'{negation}{_OPERATOR_VERBS[self.operator]} "{self.value}"'


Conjunction = tuple[SignedComparison, ...]


def _make_signed_comparison(
    comparison: Compare | Present, *, holds: bool
) -> SignedComparison:
    """Turn `ne x` into not `eq x`, and comparisons with null into presence."""
    if isinstance(comparison, Present):
        return SignedComparison(comparison, holds)
    positive = holds is (comparison.operator != "ne")
    if comparison.value is None:
        return SignedComparison(Present(attribute=comparison.attribute), not positive)
    if comparison.operator == "ne":
        comparison = structs.replace(comparison, operator="eq")
    value = str(comparison.value)
    return SignedComparison(comparison, positive, comparison.operator, value)


def _combine(
    parts: list[list[Conjunction]], *, joins: bool
) -> list[Conjunction] | None:
    """Return the conjunctions of `and`, if `joins`, or `or`; None if too many."""
    if (prod if joins else sum)(map(len, parts)) > MAX_CONJUNCTIONS:
        return None
    if joins:
        return [tuple(itertools.chain(*each)) for each in itertools.product(*parts)]
    return list(itertools.chain(*parts))


def _find_conjunctions(tree: Filter, *, holds: bool) -> list[Conjunction] | None:
    """Return the disjunctive normal form of a filter; None if it is too long."""
    match tree:
        case Compare() | Present():
            return [(_make_signed_comparison(tree, holds=holds),)]
        case ValuePath(attribute=name):
            # A condition on one value only proves that the attribute has a value.
            present = SignedComparison(Present(attribute=name), holds=True)
            return [(present,) if holds else ()]
        case Not(operand=operand):
            return _find_conjunctions(operand, holds=not holds)
        case And(operands=operands) | Or(operands=operands):
            parts = [_find_conjunctions(each, holds=holds) for each in operands]
            known = [each for each in parts if each is not None]
            if len(known) < len(parts):
                return None
            return _combine(known, joins=isinstance(tree, And) is holds)


def _judge_all(tree: Filter, judge: Callable[[Conjunction], str | None]) -> str | None:
    reasons = [judge(each) for each in _find_conjunctions(tree, holds=True) or ()]
    return None if None in reasons or not reasons else reasons[0]


def _is_above(low: str, high: str, *, strict: bool) -> bool:
    """Tell whether a lower limit is above the upper one, as number and as text."""
    try:
        numbers = float(low), float(high)
    except ValueError:
        numbers = 1.0, 0.0
    as_numbers = numbers[0] > numbers[1] or (strict and numbers[0] == numbers[1])
    return as_numbers and (low > high or (strict and low == high))


def _is_disjoint(one: SignedComparison, other: SignedComparison) -> bool:
    """Tell whether no value passes both; of two limits, `one` is the lower."""
    low, high = one.value.casefold(), other.value.casefold()
    match one.operator, other.operator:
        case ("sw", "sw"):
            return not (low.startswith(high) or high.startswith(low))
        case ("ew", "ew"):
            return not (low.endswith(high) or high.endswith(low))
        case ("gt" | "ge", "lt" | "le"):
            strict = (one.operator, other.operator) != ("ge", "le")
            return _is_above(low, high, strict=strict)
        case _:
            return False


def _find_single_value_reason(
    name: str, required: list[SignedComparison], refused: list[SignedComparison]
) -> str | None:
    """Test the value that `eq` requires; without one, compare prefixes and limits."""
    exact = next((each for each in required if each.operator == "eq"), None)
    if exact is None:
        pairs = itertools.permutations(required, 2)
        conflicts = (each for each in pairs if _is_disjoint(*each))
    else:
        values = {name: (exact.value,)}
        literals = (*required, *refused)
        conflicts = ((exact, each) for each in literals if not each.holds_for(values))
    for one, other in conflicts:
        return (
            f"{name} has a single value, which cannot both {one.verb_phrase} and "
            f"{other.verb_phrase}"
        )
    return None


def _find_attribute_reason(name: str, literals: list[SignedComparison]) -> str | None:
    required = [each for each in literals if each.holds]
    refused = [each for each in literals if not each.holds]
    if required and any(each.operator == "pr" for each in refused):
        return f"{name} cannot both have a value and have none"
    for each, other in itertools.product(required, refused):
        is_same_value = each.value.casefold() == other.value.casefold()
        if is_same_value and each.operator == other.operator:
            return f"{name} cannot both {each.verb_phrase} and {other.verb_phrase}"
    if name not in SINGLE_VALUED:
        return None
    return _find_single_value_reason(name, required, refused)


def _find_reason(clause: Conjunction) -> str | None:
    by_name: dict[str, list[SignedComparison]] = {}
    for each in clause:
        by_name.setdefault(each.comparison.attribute, []).append(each)
    reasons = (_find_attribute_reason(name, each) for name, each in by_name.items())
    return next(filter(None, reasons), None)


def find_contradiction(tree: Filter) -> str | None:
    """Return why a filter is never true; None if it can be, or is too large."""
    return _judge_all(tree, _find_reason)


def _find_excluded_class(clause: Conjunction) -> str | None:
    for each in clause:
        is_class = (each.comparison.attribute, each.operator) == ("objectclass", "eq")
        if is_class and each.holds and each.value.lower() in EXCLUDED_CLASSES:
            return f'objectClass "{each.value}" is excluded from every scope'
    return None


def find_excluding_reason(tree: Filter) -> str | None:
    """Return why a filter puts no object in scope; None if it can, or is too large."""
    return _judge_all(
        tree, lambda clause: _find_reason(clause) or _find_excluded_class(clause)
    )


def _parse_filters(tree: DocumentTree) -> Iterator[tuple[Document, str, str, Filter]]:
    """Yield scope, object type, text and filter, where the syntax is right."""
    for scope, kind, text in tree.list_filters():
        with suppress(SyntaxFault):
            yield scope, kind, text, parse_filter(text)


def check_satisfiable_filters(tree: DocumentTree) -> Mistakes:
    for scope, kind, text, parsed in _parse_filters(tree):
        if (reason := find_excluding_reason(parsed)) is not None:
            name, _, rest = reason.partition(" ")
            message = (
                f"No {kind} can match this filter: {restore_spelling(name, text)} "
                f"{rest}. Correct the filter."
            )
            yield scope.warning("filter-never-true", message, "filters", kind)


def check_filter_mistakes(tree: DocumentTree) -> Mistakes:
    for scope, kind, text, _ in _parse_filters(tree):
        for each in find_filter_mistakes(text):
            path, id_ = ("filters", kind), _DIAGNOSTIC_IDS[each.kind]
            yield scope.error(id_, each.message, *path, offset=each.offset)
