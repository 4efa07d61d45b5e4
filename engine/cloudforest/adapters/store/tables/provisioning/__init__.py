"""What provisioning keeps.

`source`, `inquiry`, `link`, `membership`, `effect` and `watermark` are what makes a
cycle safe to kill: a page and its cursor are stored in one transaction, what is to be
asked by objectGUID with what causes it, and an effect leaves the outbox in the
transaction that stores its outcome.
"""

from __future__ import annotations

from cloudforest.adapters.store.tables.provisioning.jobs import (
    breaker,
    cycle,
    job_state,
    log,
)
from cloudforest.adapters.store.tables.provisioning.links import (
    link,
    membership,
    resource,
    resource_key,
    written_member,
)
from cloudforest.adapters.store.tables.provisioning.outbox import (
    allowance,
    effect,
    spent,
    stage,
    staged,
)
from cloudforest.adapters.store.tables.provisioning.sources import (
    inquiry,
    reference,
    scope_member,
    source,
    watermark,
)

__all__ = [
    "allowance",
    "breaker",
    "cycle",
    "effect",
    "inquiry",
    "job_state",
    "link",
    "log",
    "membership",
    "reference",
    "resource",
    "resource_key",
    "scope_member",
    "source",
    "spent",
    "stage",
    "staged",
    "watermark",
    "written_member",
]
