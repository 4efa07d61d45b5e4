"""The provisioning service's store, whole."""

from __future__ import annotations

from cloudforest.adapters.store.provisioning.allowances import Allowances
from cloudforest.adapters.store.provisioning.belongings import Belongings
from cloudforest.adapters.store.provisioning.cycles import Cycles
from cloudforest.adapters.store.provisioning.due_members import DueMembers
from cloudforest.adapters.store.provisioning.effects import Effects
from cloudforest.adapters.store.provisioning.escrows import Escrows
from cloudforest.adapters.store.provisioning.evaluations import Evaluations
from cloudforest.adapters.store.provisioning.holdings import Holdings
from cloudforest.adapters.store.provisioning.jobs import Jobs
from cloudforest.adapters.store.provisioning.links import Links
from cloudforest.adapters.store.provisioning.logs import Logs
from cloudforest.adapters.store.provisioning.memberships import Memberships
from cloudforest.adapters.store.provisioning.snapshot import Snapshot
from cloudforest.adapters.store.provisioning.sources.imports import Imports
from cloudforest.adapters.store.provisioning.sources.inquiries import Inquiries
from cloudforest.adapters.store.provisioning.sources.rows import Sources
from cloudforest.adapters.store.provisioning.stages import Stages


class SqlProvisioningStore(
    Imports,
    Inquiries,
    Sources,
    Evaluations,
    Holdings,
    DueMembers,
    Belongings,
    Links,
    Memberships,
    Snapshot,
    Effects,
    Escrows,
    Stages,
    Allowances,
    Logs,
    Jobs,
    Cycles,
):
    """`model.ports.ProvisioningStore` on SQLite or PostgreSQL."""
