"""Filters judged where some attributes may be hidden: true, false, or None for unknown.

Under an inherited deny a living person shows no employeeType, exactly as if it had been
cleared. What a filter says without it is then no proof, unless it would say the same
whatever the value is (Kleene's strong three-valued logic).
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from cloudforest.model.program import And, Compare, Filter, Not, Or, Present, ValuePath
from cloudforest.program.scoping.predicate import Attributes, compile_filter

Certainty = Callable[[Attributes, AbstractSet[str]], bool | None]
"""Takes the attributes, and the names (in lower case) of those that may be hidden."""


def _leaf(tree: Compare | Present | ValuePath) -> Certainty:
    name, holds = tree.attribute.lower(), compile_filter(tree)
    return lambda attributes, hidden: None if name in hidden else holds(attributes)


def _negation(operand: Certainty) -> Certainty:
    def judge(attributes: Attributes, hidden: AbstractSet[str]) -> bool | None:
        said = operand(attributes, hidden)
        return None if said is None else not said

    return judge


def _joined(operands: tuple[Certainty, ...], *, decisive: bool) -> Certainty:
    """One operand that is `decisive` decides, whatever the others are."""

    def judge(attributes: Attributes, hidden: AbstractSet[str]) -> bool | None:
        said = {each(attributes, hidden) for each in operands}
        if decisive in said:
            return decisive
        return None if None in said else not decisive

    return judge


def compile_certainty(tree: Filter) -> Certainty:
    """Compile a filter into what it says for sure; with nothing hidden, as ever."""
    match tree:
        case Compare() | Present() | ValuePath():
            return _leaf(tree)
        case And(operands=operands):
            parts = tuple(map(compile_certainty, operands))
            return _joined(parts, decisive=False)
        case Or(operands=operands):
            return _joined(tuple(map(compile_certainty, operands)), decisive=True)
        case Not(operand=operand):
            return _negation(compile_certainty(operand))
