"""Stages: effects that a guard holds back until somebody decides."""

from __future__ import annotations

from datetime import datetime

from cloudforest.base.values import Value

HELD_BY_STAGE = "held-by-stage: "
"""How the reason begins of what is in escrow until a stage is decided."""


class Stage(Value, frozen=True):
    """So many effects of one budget, staged together by one cycle; never changed.

    `id` is the digest of job, budget and effects. `what` counts them by action;
    `waiting` is how many of them are still wanted.
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
    """One effect of a stage; `digest` is that of what it would change.

    `dn` is the object's, as far as the job still has it.
    """

    key: str
    object_guid: str
    action: str
    fingerprint: str
    dn: str | None = None


class Allowance(Value, frozen=True):
    """Somebody's word that the effects of a stage may be written, for a time.

    `job` is empty while no stage has this digest: it was read from a plan.
    """

    stage: str
    job: str
    operator: str
    until: datetime


class BudgetCharge(Value, frozen=True):
    """So many effects of a budget that were written at a time."""

    guard: str
    effects: int
    time: datetime


REKEYS = "rekeys"
"""The budget of a change of what is matched by, also where only the export finds it."""


class ExceededBudget(Value, frozen=True):
    """A budget that is exceeded: so many effects against the limit.

    `total` is what its window would come to: effects that were written or staged in it,
    and these. `digest` names the stage that they are in, or will be.
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
            f"{self.guard}: with {self.effects} effects of this cycle there would be "
            f"{self.total} in the budget's window; at most {self.limit} may happen."
        )
