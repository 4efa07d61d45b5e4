"""What an evaluation knows and adds up while it goes through the objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cloudforest.base.canonical import digest
from cloudforest.model.program import ObjectType
from cloudforest.model.provisioning import Counts, Effect, LogEntry
from cloudforest.provisioning.evaluating.differences import clears
from cloudforest.provisioning.logbook import differing, sensitive_paths, shown
from cloudforest.provisioning.mapper import Mapper
from cloudforest.provisioning.matching import Matcher
from cloudforest.provisioning.run import Run


@dataclass
class Evaluation:
    """One cycle's evaluation.

    `digest`: see `settled_digest`. `tally` is what each budget has to bear, `requests`
    how many writes the export would send, `log` what is still to be stored.
    """

    run: Run
    mappers: Mapping[ObjectType, Mapper]
    matcher: Matcher
    now: datetime
    digest: str
    tally: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    log: list[LogEntry] = field(default_factory=list)


def settled_digest(run: Run) -> str:
    """Return what must stay the same for a row that needed nothing to be left alone."""
    return digest([run.job.target, run.program.mappings])


def is_creation(effect: Effect) -> bool:
    """Tell whether the effect makes a resource, and does not find it made by us."""
    return effect.action == "create" and effect.resource is None


def sends(effect: Effect) -> bool:
    """Tell whether the effect needs a request, and not only a link."""
    if is_creation(effect):
        return True
    differs = any(each.before != each.after for each in effect.changes)
    return differs or bool(effect.references or effect.add or effect.remove)


def count(counts: Counts, effect: Effect, *, by: int = 1) -> None:
    """Count a pending effect; `by` -1 takes it back."""
    match effect.action:
        case "reference":
            pass
        case "members":
            counts.member_add += by * len(effect.add)
            counts.member_remove += by * len(effect.remove)
        case _:
            setattr(counts, effect.action, getattr(counts, effect.action) + by)
    counts.blank += by * sum(clears(each) for each in effect.changes)
    counts.blank += by * sum(each.to is None for each in effect.references)


def forget_writes(counts: Counts) -> None:
    """Count no longer what evaluation only intended to write."""
    for name in ("create", "update", "enable", "adopt", "disable", "delete"):
        setattr(counts, name, 0)
    counts.member_add = counts.member_remove = counts.blank = 0


def add_pending(evaluation: Evaluation, effect: Effect) -> None:
    count(evaluation.run.counts, effect)
    evaluation.tally.update(effect.guards)
    evaluation.requests += sends(effect)


def add_escrowed(
    evaluation: Evaluation, effect: Effect, name: str, prior: Effect | None
) -> None:
    """Count it; log it unless the log says so already."""
    evaluation.run.counts.escrow += 1
    if prior is not None and (prior.state, prior.reason) == ("escrowed", effect.reason):
        return
    sensitive = sensitive_paths(evaluation.run.program, effect.type)
    changes = tuple(shown(differing(effect), sensitive))
    evaluation.log.append(
        LogEntry(
            time=evaluation.now,
            cycle=evaluation.run.id,
            job=evaluation.run.job.name,
            object=effect.id,
            name=name,
            type=effect.type,
            action=effect.action,
            status="failure",
            resource=effect.resource,
            paths=tuple(each.path for each in changes),
            changes=changes,
            reason=effect.reason,
        )
    )
