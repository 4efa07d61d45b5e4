"""The provisioning service's store, whole."""

from __future__ import annotations

from cloudforest.adapters.store.evaluations import Evaluations, Found
from cloudforest.adapters.store.imports import Imports
from cloudforest.adapters.store.inquiries import Inquiries
from cloudforest.adapters.store.jobs import Cycles, Jobs
from cloudforest.adapters.store.links import Belongings, Links
from cloudforest.adapters.store.log import Logs
from cloudforest.adapters.store.memberships import DueMembers, Memberships
from cloudforest.adapters.store.outbox import Effects, Escrows, Intended
from cloudforest.adapters.store.snapshot import Snapshot
from cloudforest.adapters.store.sources import Holdings, Sources
from cloudforest.adapters.store.stages import Allowances, Stages


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
