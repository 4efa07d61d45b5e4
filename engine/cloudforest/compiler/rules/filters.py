"""Whether a filter contradicts itself: by disjunctive normal form, clause by clause.

On an attribute of several values any of them may do, so `x eq "a" and x eq "b"` is a
contradiction only where the directory allows one value.

Filters that nothing can pass, or that say what can't be, where that is plain.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import prod

from cloudforest.base.diagnostics import Severity
from cloudforest.compiler.document import Complaint
from cloudforest.compiler.tree import Tree
from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.ad_schema import SINGLE
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.filter_mistakes import Mistake, mistakes
from cloudforest.program.scoping.filter_syntax import parse_filter
from cloudforest.program.scoping.predicates import Attributes, compile_filter
from cloudforest.program.scoping.scope import CLASSES

MOST_CLAUSES = 256
_WORDS = {
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


@dataclass(frozen=True)
class Literal:
    """A comparison, or its negation. `ne` is the negation of `eq`."""

    leaf: Compare | Present
    holds: bool

    def agrees(self, attributes: Attributes) -> bool:
        return compile_filter(self.leaf)(attributes) is self.holds

    @property
    def value(self) -> str:
        return "" if isinstance(self.leaf, Present) else str(self.leaf.value)

    @property
    def is_excluded(self) -> bool:
        return self.operator == "eq" and self.value.lower() in CLASSES

    @property
    def said(self) -> str:
        """What it says of an attribute, as a verb."""
        return f'{"" if self.holds else "not "}{_WORDS[self.operator]} "{self.value}"'

    @property
    def operator(self) -> str:
        return "pr" if isinstance(self.leaf, Present) else self.leaf.operator


Clause = tuple[Literal, ...]


def contradiction(tree: Filter) -> str | None:
    """Return why a filter is never true, or None if it may be, or is too large."""
    return _of_all(tree, _reason)


def exclusion(tree: Filter) -> str | None:
    """Return why whoever passes a filter is out of every scope all the same."""
    return _of_all(tree, lambda clause: _reason(clause) or _excluded(clause))


def _of_all(tree: Filter, judge: Callable[[Clause], str | None]) -> str | None:
    reasons = [judge(each) for each in _clauses(tree, holds=True) or ()]
    return None if None in reasons or not reasons else reasons[0]


def _excluded(clause: Clause) -> str | None:
    for each in clause:
        if each.holds and each.leaf.attribute == "objectclass" and each.is_excluded:
            return f'objectClass "{each.value}" is left out of every scope'
    return None


def _clauses(tree: Filter, *, holds: bool) -> list[Clause] | None:
    """Return clauses of which one must hold, or None if there are too many."""
    match tree:
        case Compare() | Present():
            return [(_literal(tree, holds=holds),)]
        case ValuePath(attribute=name):
            # What holds of one value says that there is one, and no more.
            said = Literal(Present(attribute=name), holds=True)
            return [(said,) if holds else ()]
        case Not(operand=operand):
            return _clauses(operand, holds=not holds)
        case And(operands=operands) | Or(operands=operands):
            parts = [_clauses(each, holds=holds) for each in operands]
            known = [each for each in parts if each is not None]
            if len(known) < len(parts):
                return None
            joins = isinstance(tree, And) is holds
            return _all_of(known) if joins else _any_of(known)


def _literal(leaf: Compare | Present, *, holds: bool) -> Literal:
    """Write `ne x` as not `eq x`, and comparisons with null by presence."""
    if isinstance(leaf, Present):
        return Literal(leaf, holds)
    positive = holds is (leaf.operator != "ne")
    if leaf.value is None:
        return Literal(Present(attribute=leaf.attribute), not positive)
    operator = "eq" if leaf.operator == "ne" else leaf.operator
    plain = Compare(attribute=leaf.attribute, operator=operator, value=leaf.value)
    return Literal(plain, positive)


def _any_of(parts: list[list[Clause]]) -> list[Clause] | None:
    clauses = list(itertools.chain(*parts))
    return clauses if len(clauses) <= MOST_CLAUSES else None


def _all_of(parts: list[list[Clause]]) -> list[Clause] | None:
    if prod(map(len, parts)) > MOST_CLAUSES:
        return None
    return [tuple(itertools.chain(*each)) for each in itertools.product(*parts)]


def _reason(clause: Clause) -> str | None:
    by_name: dict[str, list[Literal]] = {}
    for each in clause:
        by_name.setdefault(each.leaf.attribute, []).append(each)
    reasons = (_of_attribute(name, each) for name, each in by_name.items())
    return next(filter(None, reasons), None)


def _of_attribute(name: str, literals: list[Literal]) -> str | None:
    wanted = [each for each in literals if each.holds]
    refused = [each for each in literals if not each.holds]
    if wanted and any(each.operator == "pr" for each in refused):
        return f"{name} must have a value, and must have none"
    for each, other in itertools.product(wanted, refused):
        if _same(each, other):
            return f'{name} must be and must not be "{each.value}"'
    return _of_single(name, wanted, refused) if name in SINGLE else None


def _same(one: Literal, other: Literal) -> bool:
    same = one.value.casefold() == other.value.casefold()
    return one.operator == other.operator and same


def _of_single(name: str, wanted: list[Literal], refused: list[Literal]) -> str | None:
    """Try the value that is asked for; else compare beginnings, ends and limits."""
    exact = next((each for each in wanted if each.operator == "eq"), None)
    if exact is None:
        return next(_disjoint(name, wanted), None)
    attributes = {name: (exact.value,)}
    for each in (*wanted, *refused):
        if not each.agrees(attributes):
            return (
                f"{name} has one value, which can't both {exact.said} and {each.said}"
            )
    return None


def _disjoint(name: str, wanted: Iterable[Literal]) -> Iterator[str]:
    for one, other in itertools.permutations(wanted, 2):
        if _exclude(one, other):
            yield f"{name} has one value, which can't both {one.said} and {other.said}"


def _exclude(one: Literal, other: Literal) -> bool:
    """Tell whether no value passes both, `one` being the lower limit of two."""
    low, high = one.value.casefold(), other.value.casefold()
    match one.operator, other.operator:
        case ("sw", "sw"):
            return not (low.startswith(high) or high.startswith(low))
        case ("ew", "ew"):
            return not (low.endswith(high) or high.endswith(low))
        case ("gt" | "ge", "lt" | "le"):
            strict = (one.operator, other.operator) != ("ge", "le")
            return _beyond(low, high, strict=strict)
        case _:
            return False


def _beyond(low: str, high: str, *, strict: bool) -> bool:
    """Tell whether a lower limit is above the upper one, as numbers and as texts."""
    try:
        numbers = float(low), float(high)
    except ValueError:
        numbers = 1.0, 0.0
    as_numbers = numbers[0] > numbers[1] or (strict and numbers[0] == numbers[1])
    return as_numbers and (low > high or (strict and low == high))


_IDS = {
    "computed": "computed-attribute",
    "name": "reference-by-name",
    "date": "unreadable-date",
}


def filters_can_be_true(tree: Tree) -> Iterator[Complaint]:
    for scope in tree.of("Scope"):
        for kind, text in scope.content.get("filters", {}).items():
            try:
                reason = exclusion(parse_filter(text))
            except SyntaxFault:
                continue
            if reason is not None:
                message = (
                    f"No {kind} can pass this filter: {_as_written(reason, text)}; "
                    "correct it, or nobody is in scope."
                )
                path = ("filters", kind)
                yield Complaint(
                    "filter-never-true", message, scope, path, Severity.WARNING
                )


def _as_written(reason: str, text: str) -> str:
    """Return a reason with the attribute that it begins with spelt as in the filter."""
    name = reason.partition(" ")[0]
    at = text.lower().find(name.lower())
    return f"{text[at : at + len(name)]}{reason[len(name) :]}"


def filters_say_what_can_be(tree: Tree) -> Iterator[Complaint]:
    for scope in tree.of("Scope"):
        for kind, text in scope.content.get("filters", {}).items():
            for each in _mistakes(text):
                path = ("filters", kind)
                yield Complaint(
                    _IDS[each.kind], each.message, scope, path, offset=each.offset
                )


def _mistakes(text: str) -> list[Mistake]:
    try:
        return list(mistakes(text))
    except SyntaxFault:
        return []
