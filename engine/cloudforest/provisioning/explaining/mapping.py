"""Explains the mapping: each attribute with its expression, inputs and result."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudforest.model.program import Rule
from cloudforest.model.provisioning import SourceRow
from cloudforest.program.attribute import attributes, compile_program
from cloudforest.program.expressions.functions.values import items
from cloudforest.program.expressions.reads import attributes_of
from cloudforest.program.faults import AttributeIgnored, MappingFault, ObjectIgnored
from cloudforest.provisioning.explaining.step import Step
from cloudforest.provisioning.logbook import REDACTED
from cloudforest.provisioning.mapper import Mapper


def _result(mapper: Mapper, rule: Rule, row: SourceRow) -> dict[str, Any]:
    single = replace(mapper.program, rules=(rule,))
    try:
        desired = compile_program(single, mapper.setting)(row)
    except MappingFault as fault:
        return {"error": fault.reason}
    except ObjectIgnored as ignored:
        return {"outcome": ignored.outcome}
    if rule.target in desired.ignored:
        return {"outcome": AttributeIgnored.outcome}
    if rule.target in desired.candidates:
        candidates = list(desired.candidates[rule.target])
        return {"candidates": [REDACTED] if rule.sensitive else candidates}
    values: dict[str, Any] = desired.references if rule.reference else desired.values
    result = values.get(rule.target)
    return {"result": REDACTED if rule.sensitive and result is not None else result}


def _line(mapper: Mapper, rule: Rule, row: SourceRow) -> dict[str, Any]:
    names = sorted(attributes_of(rule.expression))
    held = attributes(row)
    inputs = {name: list(items(held.get(name))) for name in names}
    if rule.sensitive:
        inputs = {name: [REDACTED] if some else [] for name, some in inputs.items()}
    line = {"target": rule.target, "expression": rule.text, "inputs": inputs}
    return line | _result(mapper, rule, row)


def mapped(mapper: Mapper, row: SourceRow) -> Step:
    """Map each attribute for itself; memberships are told by the import."""
    rules = [
        each for each in mapper.program.rules if not (each.reference and each.multi)
    ]
    lines = [_line(mapper, rule, row) for rule in rules]
    failed = any("error" in line for line in lines)
    return Step("failed" if failed else "mapped", lines)
