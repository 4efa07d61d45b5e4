"""Who is in scope: a rule's containers and groups, an object mapping's filter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cloudforest.graph.reading.fitting import NoEquivalentError, require_readable
from cloudforest.graph.schema import Clause, Filter, Rule
from cloudforest.program.expressions.reads import filter_attributes
from cloudforest.program.faults import SyntaxFault
from cloudforest.program.scoping.dn import parse_dn
from cloudforest.program.scoping.filter_text import filter_text
from cloudforest.program.scoping.graph_filter import GraphClause, filter_of
from cloudforest.program.scoping.mistakes import mistakes
from cloudforest.program.scoping.scim_filter import parse_filter


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
    """Return the filter of an object mapping, or None; raises NoEquivalentError."""
    written = (scope.groups if scope else None) or ()
    try:
        tree = filter_of([tuple(map(_clause, one.clauses or ())) for one in written])
        if tree is None:
            return None
        text = filter_text(tree)
        parsed = parse_filter(text)
        wrong = next(mistakes(text), None)
    except SyntaxFault as fault:
        raise NoEquivalentError(fault.message.rstrip(".")) from fault
    if wrong is not None:
        raise NoEquivalentError(wrong.message.rstrip("."))
    require_readable(filter_attributes(parsed))
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
