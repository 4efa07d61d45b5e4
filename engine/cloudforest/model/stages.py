"""Stages: effects that a guard holds back until an operator decides."""

from __future__ import annotations

from datetime import datetime

from cloudforest.base.values import Value

HELD_BY_STAGE = "held-by-stage: "
"""Starts the reason of effects in escrow until a stage is decided."""


class Stage(Value, frozen=True):
    """The effects of one budget that one cycle staged together; never changed.

    `id` is the digest of job, budget and effects. `what` counts the effects by action.
    `waiting` counts those that are still wanted.
    """

    id: str
    job: str
    guard: str
    cycle: str
    created: datetime
    limit: int
    effects: int
    what: dict[str, int]
    waiting: int = 0


class StagedEffect(Value, frozen=True):
    """One effect of a stage; `dn` is None if the job no longer has the object."""

    key: str
    object_guid: str
    action: str
    fingerprint: str
    dn: str | None = None


class Allowance(Value, frozen=True):
    """An operator's permission to write the effects of one stage, until a time.

    `job` is empty if the digest comes from a plan and no stage has it yet.
    """

    stage: str
    job: str
    operator: str
    until: datetime


class BudgetCharge(Value, frozen=True):
    """How many effects of a budget were written at one time."""

    guard: str
    effects: int
    time: datetime


REKEYS = "rekeys"
"""The budget for changes of matching attributes, including those found at export."""


class ExceededBudget(Value, frozen=True):
    """A budget whose limit the `effects` of this cycle exceed.

    `total` counts the whole window: effects already written or staged, and these.
    `digest` names the stage that holds or will hold them.
    """

    job: str
    guard: str
    effects: int
    limit: int
    total: int
    digest: str = ""

    @property
    def reason(self) -> str:
        return (
            f"{self.guard}: {self.effects} in this cycle, {self.total} in the budget's "
            f"window; the limit is {self.limit}."
        )
