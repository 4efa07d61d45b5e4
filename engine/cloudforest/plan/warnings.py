"""Finds what a plan should warn about before it is applied.

Orphans are objects that stay in a target, unmanaged, after a removal. Warnings are
about changes that may be a mistake: a rename without `formerly`, another service.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cloudforest.base.values import Value
from cloudforest.model.program import JobProgram, ObjectType
from cloudforest.model.registration import Job, Registration
from cloudforest.model.renames import find_renames, with_former_names
from cloudforest.plan.difference import Change

OrphanCause = Literal["job", "cycles", "target", "type", "attributes"]

_IDENTIFYING_FIELDS = {
    "Target": ("scim",),
    "Agent": ("domains", "run"),
    "Job": ("domain", "target", "scope"),
}
"""Fields that are usually equal if two documents are one under two names."""

_RENAME_LOSS = {
    "Target": "the target's links are forgotten, and every object is matched again",
    "Agent": "the agent loses its identity and must be enrolled again",
    "Job": "the data of the job is deleted, and every object is read again",
}


class Orphans(Value, frozen=True):
    """Linked objects that stay unmanaged, counted by the origin of their links.

    `job` is None if a whole target is removed. `type` and `attributes` are set if only
    these are no longer mapped.
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
    """Orphans before their objects are counted.

    `links` names the registered target, and the registered job or None for all. The
    other fields are as in `Orphans`, with the names after the change.
    """

    links: tuple[str, str | None]
    removed: OrphanCause
    target: str
    job: str | None = None
    type: ObjectType | None = None
    attributes: tuple[str, ...] = ()

    def with_counts(self, *, created: int, adopted: int) -> Orphans:
        fields = {key: each for key, each in vars(self).items() if key != "links"}
        sentence = self._describe(created, adopted)
        return Orphans(**fields, created=created, adopted=adopted, sentence=sentence)

    def _describe(self, created: int, adopted: int) -> str:
        total = created + adopted
        noun, verb = ("object", "stays") if total == 1 else ("objects", "stay")
        objects = f"{total:,} linked {noun} ({created:,} created, {adopted:,} adopted)"
        stay = f"{objects} {verb}"
        match self.removed:
            case "job":
                return (
                    f'Job "{self.job}" no longer writes to target "{self.target}". '
                    f"{stay} there unchanged."
                )
            case "cycles":
                return (
                    f'Job "{self.job}" is disabled. {stay} in target "{self.target}" '
                    "unchanged, and people who leave keep their access."
                )
            case "target":
                return (
                    f'Target "{self.target}" is removed and its links are forgotten. '
                    f"{stay} there unchanged."
                )
            case "type":
                return (
                    f'Job "{self.job}" no longer maps the type "{self.type}". {stay} '
                    f'in target "{self.target}" unchanged, no longer managed.'
                )
            case "attributes":
                names = ", ".join(f'"{name}"' for name in self.attributes)
                return (
                    f'Job "{self.job}" no longer maps {names} of the type '
                    f'"{self.type}". The values of {objects} stay in target '
                    f'"{self.target}" unchanged, no longer managed.'
                )


def _index_paths(program: JobProgram) -> dict[ObjectType, set[str]]:
    """Return the target paths of each object type."""
    return {
        each.source: {rule.target for rule in each.rules} for each in program.mappings
    }


def _find_job_orphans(
    job: Job, removal: UncountedOrphans, registered: Registration, desired: Registration
) -> Iterator[UncountedOrphans]:
    still = desired.find_job(job.name)
    if still is None or still.target != job.target:
        yield removal
        return
    if job.enabled and not still.enabled:
        yield replace(removal, removed="cycles")
    paths = _index_paths(desired.programs[job.name])
    for type_, before in _index_paths(registered.programs[job.name]).items():
        if type_ not in paths:
            yield replace(removal, removed="type", type=type_)
        elif gone := before - paths[type_]:
            attributes = tuple(sorted(gone))
            yield replace(
                removal, removed="attributes", type=type_, attributes=attributes
            )


def find_orphans(
    registered: Registration | None, desired: Registration
) -> Iterator[UncountedOrphans]:
    """Yield what would no longer be managed, in the order of the registration."""
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


def _identifying_values(change: Change, targets: dict[Any, str]) -> tuple[Any, ...]:
    """Return the values that two names of one document would share."""
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
        f'{new.kind} "{old.name}" is removed and {new.kind} "{new.name}" is created '
        f"with the same {alike}. If this is a rename, add `formerly: {old.name}` to "
        f'{new.kind} "{new.name}". Without it, {_RENAME_LOSS[new.kind]}.'
    )


def _find_likely_renames(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a warning for each pair that looks like one renamed document."""
    targets = {
        each.fields[0].before: each.name
        for each in changes
        if (each.action, each.kind) == ("rename", "Target")
    }
    gone = [each for each in changes if each.action == "delete"]
    for each in changes:
        if each.action == "create" and each.kind in _IDENTIFYING_FIELDS:
            likeness = _identifying_values(each, targets)
            for old in gone:
                if _identifying_values(old, targets) == likeness:
                    gone.remove(old)
                    yield _describe_likely_rename(old, each)
                    break


def _find_changed_urls(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a warning for each target that keeps its links at another URL."""
    for change in changes:
        if change.kind == "Target" and change.action in {"update", "rename"}:
            for field in (each for each in change.fields if each.path == "scim"):
                yield (
                    f'Target "{change.name}" keeps its links and moves from '
                    f'"{field.before}" to "{field.after}". If that is another service, '
                    "declare a new Target instead."
                )


def find_warnings(changes: Sequence[Change]) -> Iterator[str]:
    """Yield a sentence for each change that an operator should look at twice."""
    yield from _find_likely_renames(changes)
    yield from _find_changed_urls(changes)
