"""The provisioning service's whole store."""

from __future__ import annotations

from cloudforest.adapters.store.imports import Imports
from cloudforest.adapters.store.jobs import Jobs
from cloudforest.adapters.store.links import Links
from cloudforest.adapters.store.log import Logs
from cloudforest.adapters.store.memberships import Memberships
from cloudforest.adapters.store.outbox import Outbox
from cloudforest.adapters.store.sources import Sources
from cloudforest.adapters.store.stages import Stages


class SqlProvisioningStore(
    Imports, Sources, Links, Memberships, Outbox, Stages, Jobs, Logs
):
    """`model.ports.store.ProvisioningStore` on SQLite or PostgreSQL."""
