"""What the provisioning service works on: source rows, links, effects, cycles."""

from __future__ import annotations

from cloudforest.model.provisioning.cycles import (
    Counts,
    Cycle,
    CycleKind,
    CycleState,
    ImportEnd,
    Watermark,
)
from cloudforest.model.provisioning.effects import (
    PHASE_DEPROVISION,
    PHASE_REFERENCE,
    PHASE_WRITE,
    Action,
    Change,
    Effect,
    EffectState,
    EvaluatedRows,
    Outcome,
    ReferenceChange,
)
from cloudforest.model.provisioning.log import (
    LogAction,
    LogEntry,
    LoggedMembers,
    LogQuery,
    LogStatus,
)
from cloudforest.model.provisioning.rows import (
    Flat,
    Link,
    Origin,
    Presence,
    SourceRow,
    TargetResource,
)

__all__ = [
    "PHASE_DEPROVISION",
    "PHASE_REFERENCE",
    "PHASE_WRITE",
    "Action",
    "Change",
    "Counts",
    "Cycle",
    "CycleKind",
    "CycleState",
    "Effect",
    "EffectState",
    "EvaluatedRows",
    "Flat",
    "ImportEnd",
    "Link",
    "LogAction",
    "LogEntry",
    "LogQuery",
    "LogStatus",
    "LoggedMembers",
    "Origin",
    "Outcome",
    "Presence",
    "ReferenceChange",
    "SourceRow",
    "TargetResource",
    "Watermark",
]
