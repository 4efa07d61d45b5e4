"""Find renames (`formerly: NAME`) between the old and the new registration.

Only Targets, Agents and Jobs keep state under their names. `formerly` has an effect
where the old name is registered and the new one is not. Otherwise it is ignored, so
that it can stay in the file.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from msgspec.structs import replace

from cloudforest.base.values import Value
from cloudforest.model.registration import Agent, Job, Registration, Target

DocumentKind = Literal["Target", "Agent", "Job"]
"""The kinds whose state is kept under their names."""
Named = TypeVar("Named", Target, Agent, Job)
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


def list_names(registration: Registration) -> dict[DocumentKind, set[str]]:
    """Return the names of these documents."""
    documents = list_stateful_documents(registration)
    return {kind: {each.name for each in documents[kind]} for kind in documents}


def find_renames(
    registered: Registration | None, desired: Registration
) -> tuple[Rename, ...]:
    if registered is None:
        return ()
    before, after = list_names(registered), list_names(desired)
    return tuple(
        Rename(kind=kind, before=each.formerly, after=each.name)
        for kind, documents in list_stateful_documents(desired).items()
        for each in documents
        if each.formerly is not None
        and each.formerly in before[kind] - after[kind]
        and each.name not in before[kind]
    )


def with_former_names(
    registered: Registration | None, desired: Registration
) -> Registration:
    """Return the desired registration with the names under which state is kept."""
    renames = find_renames(registered, desired)
    targets, agents, jobs = (
        {each.after: each.before for each in renames if each.kind == kind}
        for kind in ("Target", "Agent", "Job")
    )

    def with_name(document: Named, former: dict[str, str]) -> Named:
        return replace(document, name=former.get(document.name, document.name))

    return replace(
        desired,
        targets=tuple(with_name(each, targets) for each in desired.targets),
        agents=tuple(with_name(each, agents) for each in desired.agents),
        jobs=tuple(
            replace(with_name(each, jobs), target=targets.get(each.target, each.target))
            for each in desired.jobs
        ),
        programs={
            jobs.get(name, name): each for name, each in desired.programs.items()
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
