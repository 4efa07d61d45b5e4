"""The embedded tenant directory."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from cloudforest.adapters.store.tables.metadata import tenant_metadata

tenant_resource = Table(
    "tenant_resource",
    tenant_metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("type", String(20), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created", String(40), nullable=False),
    Column("modified", String(40), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("tenant_resource_type", "type", "sequence"),
)

tenant_key = Table(
    "tenant_key",
    tenant_metadata,
    Column("type", String(20), primary_key=True),
    Column("path", String(100), primary_key=True),
    Column("value", String(400), primary_key=True),
    Column("id", String(36), primary_key=True),
    Index("tenant_key_id", "id"),
)

tenant_member = Table(
    "tenant_member",
    tenant_metadata,
    Column("group_id", String(36), primary_key=True),
    Column("member_id", String(100), primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Index("tenant_member_member", "member_id"),
)
