"""An attribute program made ready for a cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cloudforest.base.canonical import digest
from cloudforest.model.program import AttributeProgram, JobProgram, ObjectType, Rule
from cloudforest.model.provisioning import SourceRow
from cloudforest.program.attribute import Desired, compile_program

ACTIVE = "active"
"""What is false for who may not come in (RFC 7643, 4.1.1)."""


@dataclass(frozen=True)
class Mapper:
    """How one type of object is mapped.

    `matching` are the rules to match by, first one first. `references` are the
    single-valued ones (manager); memberships come as records of their own, and
    `members` says whether this type has them. `digest` is that of the rules,
    `paths` all that is ever compared.
    """

    program: AttributeProgram
    desire: Callable[[SourceRow], Desired]
    matching: tuple[Rule, ...]
    references: dict[str, Rule]
    members: bool
    digest: str

    @property
    def resource_type(self) -> str:
        return self.program.target

    @property
    def has_active(self) -> bool:
        """Whether a resource can be disabled: a User always has `active`."""
        return self.resource_type == "User" or ACTIVE in self.paths

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(
            rule.target
            for rule in self.program.rules
            if not (rule.reference and rule.multi)
        )


def _mapper(program: AttributeProgram) -> Mapper:
    references = [rule for rule in program.rules if rule.reference]
    return Mapper(
        program=program,
        desire=compile_program(program),
        matching=tuple(
            sorted(
                (rule for rule in program.rules if rule.matching_priority > 0),
                key=lambda rule: rule.matching_priority,
            )
        ),
        references={rule.target: rule for rule in references if not rule.multi},
        members=any(rule.multi for rule in references),
        digest=digest(program.rules),
    )


def mappers(program: JobProgram) -> dict[ObjectType, Mapper]:
    return {each.source: _mapper(each) for each in program.mappings}
