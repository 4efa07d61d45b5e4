"""Find renames (`formerly: NAME`) between the old and the new registration.

Only Targets, Agents and Jobs keep state under their names. `formerly` has an effect
where the old name is registered and the new one is not. Otherwise it is ignored, so
that it can stay in the file.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from cloudforest.base.values import Value
from cloudforest.model.registration import Agent, Job, Registration, Target

DocumentKind = Literal["Target", "Agent", "Job"]
"""The kinds whose state is kept under their names."""
StatefulDocuments = tuple[Target, ...] | tuple[Agent, ...] | tuple[Job, ...]


class Rename(Value, frozen=True):
    kind: DocumentKind
    before: str
    after: str


def list_stateful_documents(
    registration: Registration,
) -> dict[DocumentKind, StatefulDocuments]:
    """Return the documents whose state is kept under their names."""
    return {
        "Target": registration.targets,
        "Agent": registration.agents,
        "Job": registration.jobs,
    }


def _names(documents: StatefulDocuments) -> set[str]:
    return {each.name for each in documents}


def find_renames(
    registered: Registration | None, desired: Registration
) -> tuple[Rename, ...]:
    if registered is None:
        return ()
    before, after = (
        list_stateful_documents(registered),
        list_stateful_documents(desired),
    )
    return tuple(
        Rename(kind=kind, before=each.formerly, after=each.name)
        for kind in before
        for each in after[kind]
        if each.formerly is not None
        and each.formerly in _names(before[kind]) - _names(after[kind])
        and each.name not in _names(before[kind])
    )


def with_former_names(
    registered: Registration | None, desired: Registration
) -> Registration:
    """Return the desired registration with the names under which state is kept."""
    former = {
        (each.kind, each.after): each.before
        for each in find_renames(registered, desired)
    }

    def former_name(kind: DocumentKind, name: str) -> str:
        return former.get((kind, name), name)

    return replace(
        desired,
        targets=tuple(
            replace(each, name=former_name("Target", each.name))
            for each in desired.targets
        ),
        agents=tuple(
            replace(each, name=former_name("Agent", each.name))
            for each in desired.agents
        ),
        jobs=tuple(
            replace(
                each,
                name=former_name("Job", each.name),
                target=former_name("Target", each.target),
            )
            for each in desired.jobs
        ),
        programs={
            former_name("Job", name): each for name, each in desired.programs.items()
        },
    )


def list_jobs_to_lock(
    registered: Registration | None, desired: Registration
) -> frozenset[str]:
    """Return the registered jobs that must not run while it is being applied.

    Their state or their target's is renamed or deleted then.
    """
    if registered is None:
        return frozenset()
    unchanged = {(each.name, each.target) for each in desired.jobs}
    return frozenset(
        each.name
        for each in registered.jobs
        if (each.name, each.target) not in unchanged
    )
