"""An attribute program made ready for a cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cloudforest.base.values import canonical_digest
from cloudforest.model.program import (
    AttributeProgram,
    CompiledAttributeMapping,
    JobProgram,
    ObjectType,
)
from cloudforest.model.source import SourceObject
from cloudforest.program.expressions.analysis import (
    SELECT_UNIQUE_VALUE,
    find_impure_functions,
    uses_function,
)
from cloudforest.program.expressions.evaluate import NO_CONTEXT, EvaluationContext
from cloudforest.program.mapping.desired import DesiredValues, compile_mapping
from cloudforest.program.scim.path import parse_path

ACTIVE = "active"
"""What is false for who may not come in (RFC 7643, 4.1.1)."""


@dataclass(frozen=True)
class Mapper:
    """How one type of object is mapped.

    `matching` are the rules to match by, first one first. `references` are the
    single-valued ones (manager); memberships come as records of their own, and
    `members` is the rule for them, if this type has any. `drawn` are the paths of
    values that are another one each time (RandomString), `unique` those whose value is
    chosen by what the target has. `digest` is that of the rules, `paths` all that is
    ever compared.
    """

    program: AttributeProgram
    map_object: Callable[[SourceObject], DesiredValues]
    matching_mappings: tuple[CompiledAttributeMapping, ...]
    reference_mappings: dict[str, CompiledAttributeMapping]
    members_mapping: CompiledAttributeMapping | None
    random_paths: frozenset[str]
    digest: str
    unique_paths: tuple[str, ...] = ()
    evaluation_context: EvaluationContext = NO_CONTEXT

    @property
    def resource_type(self) -> str:
        return self.program.target

    @property
    def has_active(self) -> bool:
        """Whether a resource can be disabled: a User always has `active`."""
        return self.resource_type == "User" or ACTIVE in self.paths

    @cached_property
    def paths(self) -> tuple[str, ...]:
        return tuple(
            rule.target
            for rule in self.program.rules
            if not (rule.reference and rule.multi)
        )

    @property
    def whole_paths(self) -> tuple[str, ...]:
        """Return the attributes of which a part is written if there is nothing else."""
        adding = (
            r.target for r in self.program.rules if r.flow_type == "AttributeAddOnly"
        )
        found = {path: parse_path(path).attribute_path for path in adding}
        return tuple(sorted({each for path, each in found.items() if each != path}))

    @property
    def paths_to_read(self) -> tuple[str, ...]:
        """Return the paths to read of a resource that is compared with ours.

        Who was deprovisioned has a false `active`, whatever is mapped.
        """
        also = self.has_active and ACTIVE not in self.paths
        return (*self.paths, *self.whole_paths, *[ACTIVE] * also)


def _build_mapper(
    program: AttributeProgram, evaluation_context: EvaluationContext
) -> Mapper:
    references = [rule for rule in program.rules if rule.reference]
    return Mapper(
        program=program,
        map_object=compile_mapping(program, evaluation_context),
        matching_mappings=tuple(
            sorted(
                (rule for rule in program.rules if rule.matching_priority > 0),
                key=lambda rule: rule.matching_priority,
            )
        ),
        reference_mappings={rule.target: rule for rule in references if not rule.multi},
        members_mapping=next((rule for rule in references if rule.multi), None),
        random_paths=frozenset(
            rule.target
            for rule in program.rules
            if find_impure_functions(rule.expression)
        ),
        digest=canonical_digest(program.rules),
        unique_paths=tuple(
            rule.target
            for rule in program.rules
            if uses_function(rule.expression, SELECT_UNIQUE_VALUE)
        ),
        evaluation_context=evaluation_context,
    )


def build_mappers(
    program: JobProgram, now: datetime | None = None
) -> dict[ObjectType, Mapper]:
    """Return the mappers by type of object; who maps says what time it is."""
    setting = EvaluationContext(now=now)
    return {each.source: _build_mapper(each, setting) for each in program.mappings}
