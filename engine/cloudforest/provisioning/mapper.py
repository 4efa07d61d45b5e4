"""Prepare the attribute mappings of each object type for a cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter

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
from cloudforest.program.expressions.function import NO_CONTEXT, EvaluationContext
from cloudforest.program.mapping.desired import DesiredValues, compile_mapping
from cloudforest.program.scim.path import parse_path

ACTIVE = "active"
"""False for users who cannot sign in (RFC 7643, 4.1.1)."""


@dataclass(frozen=True)
class Mapper:
    """The attribute mappings of one object type, compiled.

    `matching_mappings` are in order of priority. `reference_mappings` are the
    single-valued references (manager), by path; `members_mapping` is the one for
    memberships, which are imported separately. `random_paths` get a different value
    each time (RandomString); the values of `unique_paths` depend on the target.
    `digest` covers the mappings.
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
        """Whether a resource can be disabled; a User always has `active`."""
        return self.resource_type == "User" or ACTIVE in self.paths

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """All paths that are compared; memberships are not among them."""
        rules = self.program.rules
        return tuple(r.target for r in rules if not (r.reference and r.multi))

    @property
    def whole_paths(self) -> tuple[str, ...]:
        """The attributes that AttributeAddOnly mappings write only a part of."""
        rules = self.program.rules
        adding = [each.target for each in rules if each.flow_type == "AttributeAddOnly"]
        found = {path: parse_path(path).attribute_path for path in adding}
        return tuple(sorted({each for path, each in found.items() if each != path}))

    @property
    def paths_to_read(self) -> tuple[str, ...]:
        """The paths to read and compare; a deprovision sets `active` in any case."""
        also = self.has_active and ACTIVE not in self.paths
        return (*self.paths, *self.whole_paths, *[ACTIVE] * also)


def _build_mapper(
    program: AttributeProgram, evaluation_context: EvaluationContext
) -> Mapper:
    rules = program.rules
    references = [each for each in rules if each.reference]
    matching = [each for each in rules if each.matching_priority > 0]
    random = [each.target for each in rules if find_impure_functions(each.expression)]
    return Mapper(
        program=program,
        map_object=compile_mapping(program, evaluation_context),
        matching_mappings=tuple(sorted(matching, key=attrgetter("matching_priority"))),
        reference_mappings={each.target: each for each in references if not each.multi},
        members_mapping=next((each for each in references if each.multi), None),
        random_paths=frozenset(random),
        digest=canonical_digest(rules),
        unique_paths=tuple(
            each.target
            for each in rules
            if uses_function(each.expression, SELECT_UNIQUE_VALUE)
        ),
        evaluation_context=evaluation_context,
    )


def build_mappers(
    program: JobProgram, now: datetime | None = None
) -> dict[ObjectType, Mapper]:
    """Return the mapper of each object type; `now` is the time for expressions."""
    setting = EvaluationContext(now=now)
    return {each.source: _build_mapper(each, setting) for each in program.mappings}
