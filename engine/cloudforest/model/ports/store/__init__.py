"""The provisioning service's store: one method, one transaction.

Ids are objectGUIDs; lists are batches.
"""

from __future__ import annotations

from typing import Protocol

from cloudforest.model.ports.store.cycles import Cycles
from cloudforest.model.ports.store.evaluations import Evaluations
from cloudforest.model.ports.store.jobs import Jobs, Judge
from cloudforest.model.ports.store.logs import Logs
from cloudforest.model.ports.store.memberships import Memberships
from cloudforest.model.ports.store.outbox import Outbox
from cloudforest.model.ports.store.rows.belongings import Belongings
from cloudforest.model.ports.store.rows.holdings import Holdings
from cloudforest.model.ports.store.rows.imports import Imports
from cloudforest.model.ports.store.rows.inquiries import Inquiries
from cloudforest.model.ports.store.rows.links import Links
from cloudforest.model.ports.store.rows.pictures import Pictures
from cloudforest.model.ports.store.rows.sources import Sources
from cloudforest.model.ports.store.stages import Stages


class ProvisioningStore(
    Imports,
    Inquiries,
    Sources,
    Evaluations,
    Holdings,
    Links,
    Pictures,
    Outbox,
    Stages,
    Memberships,
    Belongings,
    Cycles,
    Jobs,
    Logs,
    Protocol,
):
    """All that is kept about jobs, their objects and their cycles."""


__all__ = ["Judge", "ProvisioningStore"]
