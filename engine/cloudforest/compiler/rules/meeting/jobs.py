"""Two jobs that write the same resources: for nothing, or against each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cloudforest.base.diagnostics import Severity
from cloudforest.compiler.document import Complaint
from cloudforest.compiler.rules.meeting.population import (
    Place,
    Population,
    pairs,
    populations,
)
from cloudforest.compiler.tree import Tree
from cloudforest.program.expressions.expression import parse_expression
from cloudforest.program.faults import SyntaxFault


def jobs_do_not_meet(tree: Tree) -> Iterator[Complaint]:
    """Complain once of each job that meets others, of the worst that it meets."""
    for place, several in populations(tree).items():
        worst: dict[str, tuple[int, Complaint]] = {}
        for one, other in pairs(several):
            found = _met(place, one, other)
            if found is not None:
                name = other.job.name
                worst[name] = min(worst.get(name, found), found, key=_rank)
        yield from (complaint for _, complaint in worst.values())


def _rank(found: tuple[int, Complaint]) -> int:
    return found[0]


def _met(
    place: Place, one: Population, other: Population
) -> tuple[int, Complaint] | None:
    """Return the complaint of a pair with its rank, 0 being the worst."""
    if one.excludes(other):
        return None
    sure = one.covers(other) or other.covers(one)
    differing = _differing(one.mapping, other.mapping)
    if differing:
        severity = Severity.ERROR if sure else Severity.WARNING
        message = _conflict(place, one, other, differing, sure=sure)
        return int(not sure), _complaint("conflicting-jobs", message, other, severity)
    if not sure:
        return None
    message = (
        f'The job "{one.job.name}" writes the same {place[2]} objects of {place[0]} to '
        f'"{place[1]}" already; divide their scopes, or remove one of the two.'
    )
    return 2, _complaint("overlapping-jobs", message, other, Severity.WARNING)


def _complaint(
    id_: str, message: str, population: Population, severity: Severity
) -> Complaint:
    return Complaint(id_, message, population.job, ("scope",), severity)


def _conflict(
    place: Place,
    one: Population,
    other: Population,
    differing: list[str],
    *,
    sure: bool,
) -> str:
    domain, target, kind, _ = place
    count = len(differing) - 1
    rest = f" and {count} more" if count else ""
    verb = "writes" if sure else "may write"
    return (
        f'The job "{one.job.name}" {verb} "{differing[0]}"{rest} of the same {kind} '
        f'objects of {domain} to "{target}" in another way, so the two would undo each '
        f'other in every cycle; map alike in "{other.mapping["name"]}", or divide the '
        "scopes."
    )


def _differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the target attributes that two mappings write differently, for ever."""
    if one["name"] == other["name"]:
        return []
    entries, others = one["attributeMappings"], other["attributeMappings"]
    return [
        target
        for target in sorted(entries.keys() & others.keys())
        if _flows(entries[target])
        and _flows(others[target])
        and _meaning(entries[target]) != _meaning(others[target])
    ]


def _flows(entry: dict[str, Any]) -> bool:
    return bool(entry.get("flowType", "Always") == "Always")


def _meaning(entry: dict[str, Any]) -> Any:
    """Return what an entry writes, however its expression is spaced."""
    default = entry.get("defaultValue")
    if "source" not in entry:
        return entry.get("template"), entry.get("constant"), default
    try:
        return parse_expression(entry["source"]), default
    except SyntaxFault:
        return entry["source"], default
