"""The provisioning service's store, whole."""

from __future__ import annotations

from cloudforest.adapters.store.provisioning.jobs.cycles import Cycles
from cloudforest.adapters.store.provisioning.jobs.jobs import Jobs
from cloudforest.adapters.store.provisioning.links.belongings import Belongings
from cloudforest.adapters.store.provisioning.links.holdings import Holdings
from cloudforest.adapters.store.provisioning.links.links import Links
from cloudforest.adapters.store.provisioning.links.snapshot import Snapshot
from cloudforest.adapters.store.provisioning.logs import Logs
from cloudforest.adapters.store.provisioning.members.due_members import DueMembers
from cloudforest.adapters.store.provisioning.members.memberships import Memberships
from cloudforest.adapters.store.provisioning.outbox.allowances import Allowances
from cloudforest.adapters.store.provisioning.outbox.effects import Effects
from cloudforest.adapters.store.provisioning.outbox.escrows import Escrows
from cloudforest.adapters.store.provisioning.outbox.evaluations import Evaluations
from cloudforest.adapters.store.provisioning.outbox.found import Found
from cloudforest.adapters.store.provisioning.outbox.intended import Intended
from cloudforest.adapters.store.provisioning.outbox.stages import Stages
from cloudforest.adapters.store.provisioning.sources.imports import Imports
from cloudforest.adapters.store.provisioning.sources.inquiries import Inquiries
from cloudforest.adapters.store.provisioning.sources.rows import Sources


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
    Found,
    Intended,
    Escrows,
    Stages,
    Allowances,
    Logs,
    Jobs,
    Cycles,
):
    """`model.ports.ProvisioningStore` on SQLite or PostgreSQL."""
