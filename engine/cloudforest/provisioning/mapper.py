"""An attribute program made ready for a cycle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cloudforest.base.values import digest
from cloudforest.model.program import AttributeProgram, JobProgram, ObjectType, Rule
from cloudforest.model.source import SourceRow
from cloudforest.program.expressions.analysis import UNIQUE, impure_functions, uses
from cloudforest.program.expressions.evaluate import NOWHERE, Setting
from cloudforest.program.mapping.desired import Desired, compile_program
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
    desire: Callable[[SourceRow], Desired]
    matching: tuple[Rule, ...]
    references: dict[str, Rule]
    members: Rule | None
    drawn: frozenset[str]
    digest: str
    unique: tuple[str, ...] = ()
    setting: Setting = NOWHERE

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
    def wholes(self) -> tuple[str, ...]:
        """Return the attributes of which a part is written if there is nothing else."""
        adding = (
            r.target for r in self.program.rules if r.flow_type == "AttributeAddOnly"
        )
        found = {path: parse_path(path).whole for path in adding}
        return tuple(sorted({each for path, each in found.items() if each != path}))

    @property
    def compared(self) -> tuple[str, ...]:
        """Return the paths to read of a resource that is compared with ours.

        Who was deprovisioned has a false `active`, whatever is mapped.
        """
        also = self.has_active and ACTIVE not in self.paths
        return (*self.paths, *self.wholes, *[ACTIVE] * also)


def _mapper(program: AttributeProgram, setting: Setting) -> Mapper:
    references = [rule for rule in program.rules if rule.reference]
    return Mapper(
        program=program,
        desire=compile_program(program, setting),
        matching=tuple(
            sorted(
                (rule for rule in program.rules if rule.matching_priority > 0),
                key=lambda rule: rule.matching_priority,
            )
        ),
        references={rule.target: rule for rule in references if not rule.multi},
        members=next((rule for rule in references if rule.multi), None),
        drawn=frozenset(
            rule.target for rule in program.rules if impure_functions(rule.expression)
        ),
        digest=digest(program.rules),
        unique=tuple(
            rule.target for rule in program.rules if uses(rule.expression, UNIQUE)
        ),
        setting=setting,
    )


def mappers(
    program: JobProgram, now: datetime | None = None
) -> dict[ObjectType, Mapper]:
    """Return the mappers by type of object; who maps says what time it is."""
    setting = Setting(now=now)
    return {each.source: _mapper(each, setting) for each in program.mappings}
