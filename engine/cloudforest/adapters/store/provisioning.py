"""The provisioning service's store, whole."""

from __future__ import annotations

from cloudforest.adapters.store.evaluations import Evaluations, ObservedLinks
from cloudforest.adapters.store.imports import Imports
from cloudforest.adapters.store.inquiries import Inquiries
from cloudforest.adapters.store.jobs import Cycles, Jobs
from cloudforest.adapters.store.links import Links, ObjectMemberships
from cloudforest.adapters.store.log import Logs
from cloudforest.adapters.store.memberships import DueMemberships, Memberships
from cloudforest.adapters.store.outbox import Effects, Escrows, PendingEffects
from cloudforest.adapters.store.snapshot import TargetSnapshots
from cloudforest.adapters.store.sources import Presences, Sources
from cloudforest.adapters.store.stages import Allowances, Stages


class SqlProvisioningStore(
    Imports,
    Inquiries,
    Sources,
    Evaluations,
    Presences,
    DueMemberships,
    ObjectMemberships,
    Links,
    Memberships,
    TargetSnapshots,
    Effects,
    ObservedLinks,
    PendingEffects,
    Escrows,
    Stages,
    Allowances,
    Logs,
    Jobs,
    Cycles,
):
    """`model.ports.ProvisioningStore` on SQLite or PostgreSQL."""
