"""What stays behind, unmanaged, when something is removed: said before it happens.

Warns where a change may not mean what it says: of renames and of other services.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cloudforest.base.values import Value
from cloudforest.model.program import AttributeProgram, JobProgram, ObjectType
from cloudforest.model.registration import Job, Registration
from cloudforest.model.renames import find_renames, with_former_names
from cloudforest.plan.difference import Change

OrphanCause = Literal["job", "cycles", "target", "type", "attributes"]


class Orphans(Value, frozen=True):
    """`created` and `adopted` are the linked objects concerned, by how we came by them.

    `job` is None where a whole target is removed; `type` and `attributes` are set where
    only they are no longer mapped.
    """

    removed: OrphanCause
    target: str
    job: str | None
    type: ObjectType | None
    attributes: tuple[str, ...]
    created: int
    adopted: int
    sentence: str


@dataclass(frozen=True)
class UncountedOrphans:
    """Something removed whose linked objects are yet to be counted.

    `links` are those of a registered target and, if not None, of a registered job. The
    other fields are the consequence's: the names that there will be.
    """

    links: tuple[str, str | None]
    removed: OrphanCause
    target: str
    job: str | None = None
    type: ObjectType | None = None
    attributes: tuple[str, ...] = ()

    def with_counts(self, *, created: int, adopted: int) -> Orphans:
        return Orphans(
            removed=self.removed,
            target=self.target,
            job=self.job,
            type=self.type,
            attributes=self.attributes,
            created=created,
            adopted=adopted,
            sentence=self._describe(created, adopted),
        )

    def _describe(self, created: int, adopted: int) -> str:
        objects = _format_objects(created, adopted)
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


def _format_objects(created: int, adopted: int) -> str:
    total = created + adopted
    objects = "object" if total == 1 else "objects"
    return f"{total:,} linked {objects} ({created:,} created, {adopted:,} adopted)"


def find_orphans(
    registered: Registration | None, desired: Registration
) -> Iterator[UncountedOrphans]:
    """Yield what would no longer be written, in the order of the registration."""
    if registered is None:
        return
    kept = with_former_names(registered, desired)
    names = {
        (each.kind, each.before): each.after
        for each in find_renames(registered, desired)
    }
    for target in registered.targets:
        if kept.find_target(target.name) is None:
            yield UncountedOrphans((target.name, None), "target", target.name)
    for job in registered.jobs:
        removal = UncountedOrphans(
            links=(job.target, job.name),
            removed="job",
            target=names.get(("Target", job.target), job.target),
            job=names.get(("Job", job.name), job.name),
        )
        yield from _find_job_orphans(job, removal, registered, kept)


def _find_job_orphans(
    job: Job, removal: UncountedOrphans, registered: Registration, desired: Registration
) -> Iterator[UncountedOrphans]:
    still = desired.find_job(job.name)
    if still is None or still.target != job.target:
        yield removal
        return
    if job.enabled and not still.enabled:
        yield replace(removal, removed="cycles")
    programs = _index_by_type(desired.programs[job.name])
    for type_, before in _index_by_type(registered.programs[job.name]).items():
        after = programs.get(type_)
        if after is None:
            yield replace(removal, removed="type", type=type_)
        elif gone := _target_paths(before) - _target_paths(after):
            yield replace(
                removal,
                removed="attributes",
                type=type_,
                attributes=tuple(sorted(gone)),
            )


def _index_by_type(program: JobProgram) -> dict[ObjectType, AttributeProgram]:
    return {each.source: each for each in program.mappings}


def _target_paths(program: AttributeProgram) -> set[str]:
    return {rule.target for rule in program.rules}


_IDENTIFYING_FIELDS = {
    "Target": ("scim",),
    "Agent": ("domains", "run"),
    "Job": ("domain", "target", "scope"),
}
"""Fields that are equal in two documents of a kind which may well be one."""

_RENAME_LOSS = {
    "Target": "its links are forgotten, and everybody is matched anew",
    "Agent": "it loses its identity, and must be enrolled anew",
    "Job": "what is kept for it is forgotten, and everybody is read anew",
}


def find_warnings(changes: Iterable[Change]) -> Iterator[str]:
    """Yield a sentence for each change that an operator should look at twice."""
    changes = list(changes)
    yield from _find_likely_renames(changes)
    yield from _find_changed_urls(changes)


def _find_likely_renames(changes: Sequence[Change]) -> Iterator[str]:
    """Tell of each pair that looks like one document with a new name."""
    targets = {
        each.fields[0].before: each.name
        for each in changes
        if (each.action, each.kind) == ("rename", "Target")
    }
    gone = [each for each in changes if each.action == "delete"]
    for each in changes:
        if each.action == "create" and each.kind in _IDENTIFYING_FIELDS:
            likeness = _identifying_values(each, targets)
            found = (
                old for old in gone if _identifying_values(old, targets) == likeness
            )
            if (old := next(found, None)) is not None:
                gone.remove(old)
                yield _describe_likely_rename(old, each)


def _identifying_values(change: Change, targets: dict[Any, str]) -> tuple[Any, ...]:
    """Return what two documents that may be one have in common."""
    values = {
        field.path: field.before if change.action == "delete" else field.after
        for field in change.fields
    }
    values["target"] = targets.get(values.get("target"), values.get("target"))
    paths = _IDENTIFYING_FIELDS.get(change.kind, ())
    return (change.kind, *(values.get(path) for path in paths))


def _describe_likely_rename(old: Change, new: Change) -> str:
    alike = ", ".join(_IDENTIFYING_FIELDS[new.kind])
    return (
        f'{new.kind} "{old.name}" is removed and {new.kind} "{new.name}" is created, '
        f"with the same {alike}. If that is a new name for the same, write "
        f'`formerly: {old.name}` in {new.kind} "{new.name}"; '
        f"without it {_RENAME_LOSS[new.kind]}."
    )


def _find_changed_urls(changes: Sequence[Change]) -> Iterator[str]:
    """Tell of targets with links whose URL changes."""
    for change in changes:
        if change.kind == "Target" and change.action in {"update", "rename"}:
            for field in (each for each in change.fields if each.path == "scim"):
                yield (
                    f'Target "{change.name}" gets another URL, {field.after} instead '
                    f"of {field.before}, and keeps its links. If that is another "
                    "service, declare it as a Target of its own instead."
                )
