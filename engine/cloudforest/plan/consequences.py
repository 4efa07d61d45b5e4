"""What stays behind, unmanaged, when something is removed: said before it happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from cloudforest.model.program import AttributeProgram, JobProgram, ObjectType
from cloudforest.model.registration import Job, Registration
from cloudforest.model.renames import renames, under_former_names
from cloudforest.model.value import Value

Removed = Literal["job", "cycles", "target", "type", "attributes"]


class Consequence(Value, frozen=True):
    """`created` and `adopted` are the linked objects concerned, by how we came by them.

    `job` is None where a whole target is removed; `type` and `attributes` are set where
    only they are no longer mapped.
    """

    removed: Removed
    target: str
    job: str | None
    type: ObjectType | None
    attributes: tuple[str, ...]
    created: int
    adopted: int
    sentence: str


@dataclass(frozen=True)
class Removal:
    """Something removed whose linked objects are yet to be counted.

    `links` are those of a registered target and, if not None, of a registered job. The
    other fields are the consequence's: the names that there will be.
    """

    links: tuple[str, str | None]
    removed: Removed
    target: str
    job: str | None = None
    type: ObjectType | None = None
    attributes: tuple[str, ...] = ()

    def consequence(self, *, created: int, adopted: int) -> Consequence:
        return Consequence(
            removed=self.removed,
            target=self.target,
            job=self.job,
            type=self.type,
            attributes=self.attributes,
            created=created,
            adopted=adopted,
            sentence=self._sentence(created, adopted),
        )

    def _sentence(self, created: int, adopted: int) -> str:
        objects = _objects(created, adopted)
        match self.removed:
            case "job":
                return (
                    f"Job {self.job} no longer writes to target {self.target}: "
                    f"{objects} stay there as they are."
                )
            case "cycles":
                return (
                    f"Job {self.job} is disabled: {objects} stay in target "
                    f"{self.target} as they are, and nobody who leaves loses access."
                )
            case "target":
                return (
                    f"Target {self.target} is removed: its links are forgotten, and "
                    f"{objects} stay there as they are."
                )
            case "type":
                return (
                    f"Job {self.job} no longer maps the type {self.type}: {objects} "
                    f"stay in target {self.target} as they are, no longer managed."
                )
            case "attributes":
                return (
                    f"Job {self.job} no longer maps {', '.join(self.attributes)} of "
                    f"the type {self.type}: the values stay in target {self.target} as "
                    f"they are, no longer managed, of {objects}."
                )


def _objects(created: int, adopted: int) -> str:
    total = created + adopted
    objects = "object" if total == 1 else "objects"
    return f"{total:,} linked {objects} ({created:,} created, {adopted:,} adopted)"


def removals(
    registered: Registration | None, desired: Registration
) -> Iterator[Removal]:
    """Yield what would no longer be written, in the order of the registration."""
    if registered is None:
        return
    kept = under_former_names(registered, desired)
    names = {
        (each.kind, each.before): each.after for each in renames(registered, desired)
    }
    for target in registered.targets:
        if kept.target(target.name) is None:
            yield Removal((target.name, None), "target", target.name)
    for job in registered.jobs:
        removal = Removal(
            links=(job.target, job.name),
            removed="job",
            target=names.get(("Target", job.target), job.target),
            job=names.get(("Job", job.name), job.name),
        )
        yield from _of_job(job, removal, registered, kept)


def _of_job(
    job: Job, removal: Removal, registered: Registration, kept: Registration
) -> Iterator[Removal]:
    still = kept.job(job.name)
    if still is None or still.target != job.target:
        yield removal
        return
    if job.enabled and not still.enabled:
        yield replace(removal, removed="cycles")
    programs = _by_type(kept.programs[job.name])
    for type_, before in _by_type(registered.programs[job.name]).items():
        after = programs.get(type_)
        if after is None:
            yield replace(removal, removed="type", type=type_)
        elif gone := _targets(before) - _targets(after):
            yield replace(
                removal,
                removed="attributes",
                type=type_,
                attributes=tuple(sorted(gone)),
            )


def _by_type(program: JobProgram) -> dict[ObjectType, AttributeProgram]:
    return {each.source: each for each in program.mappings}


def _targets(program: AttributeProgram) -> set[str]:
    return {rule.target for rule in program.rules}
