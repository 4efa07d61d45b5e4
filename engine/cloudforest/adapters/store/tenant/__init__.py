"""The embedded tenant directory: resources in an SQLite file of its own."""

from __future__ import annotations

from cloudforest.adapters.store.tenant.content import Content, Members, Stored, Taken
from cloudforest.adapters.store.tenant.directory import TenantDirectory, VersionDiffers
from cloudforest.adapters.store.tenant.listing import Slice

__all__ = [
    "Content",
    "Members",
    "Slice",
    "Stored",
    "Taken",
    "TenantDirectory",
    "VersionDiffers",
]
