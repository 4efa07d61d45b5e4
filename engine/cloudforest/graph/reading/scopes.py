"""Who is in scope: a rule's containers and groups, an object mapping's filter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cloudforest.graph.reading.fitting import NoEquivalentError, require_readable
from cloudforest.graph.schema import Clause, Filter, Rule
from cloudforest.program.expressions.reads import filter_attributes
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.program.scoping.filter_text import filter_text
from cloudforest.program.scoping.graph_filter import GraphClause, Group, filter_of
from cloudforest.program.scoping.mistakes import mistakes
from cloudforest.program.scoping.scim_filter import parse_filter


class NoFilterError(Exception):
    """A filter of Graph's has no equivalent here; each of the reasons without a dot."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def names(written: Iterable[str] | None) -> list[str]:
    """Return the distinguished names that can be read, each once."""
    return [each for each in dict.fromkeys(written or ()) if each and _is_dn(each)]


def _is_dn(text: str) -> bool:
    try:
        return bool(parse_dn(text))
    except SyntaxFault:
        return False


def containers(rule: Rule) -> tuple[str, ...]:
    held = rule.container_filter
    return (held.included_containers or ()) if held else ()


def groups(rule: Rule) -> tuple[str, ...]:
    return (rule.group_filter.included_groups or ()) if rule.group_filter else ()


def where(rule: Rule) -> dict[str, Any]:
    """Return `organizationalUnits` and `groups` of the scope."""
    units, members = names(containers(rule)), names(groups(rule))
    found: dict[str, Any] = {"organizationalUnits": units or "all"}
    return found | ({"groups": members} if members else {})


def unreadable(rule: Rule) -> Iterator[str]:
    """Yield what in the rule is not a distinguished name."""
    for written in (containers(rule), groups(rule)):
        yield from (each for each in written if each not in names(written))


def filter_text_of(scope: Filter | None) -> str | None:
    """Return the filter of an object mapping, or None; raises NoFilterError."""
    written = (scope.groups if scope else None) or ()
    groups = [tuple(map(_clause, each.clauses or ())) for each in written]
    tried: list[Sequence[Group]] = [[(one,)] for each in groups for one in each]
    reasons = filter(None, map(_obstacle, [*tried, groups]))
    if every := tuple(dict.fromkeys(reasons)):
        raise NoFilterError(every)
    return _text(groups)


def _obstacle(groups: Sequence[Group]) -> str | None:
    try:
        _text(groups)
    except SyntaxFault as fault:
        return fault.message.rstrip(".")
    except NoEquivalentError as error:
        return str(error)
    return None


def _text(groups: Sequence[Group]) -> str | None:
    tree = filter_of(groups)
    if tree is None:
        return None
    text = filter_text(tree)
    wrong = next(mistakes(text), None)
    if wrong is not None:
        raise NoEquivalentError(wrong.message.rstrip("."))
    require_readable(filter_attributes(parse_filter(text)))
    return text


def _clause(written: Clause) -> GraphClause:
    operand = written.target_operand
    return GraphClause(
        attribute=written.source_operand_name or "",
        operator=written.operator_name or "",
        values=(operand.values or ()) if operand else (),
    )


def domain(rule: Rule) -> str | None:
    """Return the domain that the first distinguished name lies in."""
    for each in names((*containers(rule), *groups(rule))):
        parts = [part for part in parse_dn(each) if part.startswith("dc=")]
        if parts:
            return ".".join(part.removeprefix("dc=") for part in parts)
    return None
