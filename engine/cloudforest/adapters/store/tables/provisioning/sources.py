"""What was imported, what is to be asked for, and where the next import starts."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from cloudforest.adapters.store.tables.metadata import metadata

# `doubted` names the attributes that the object does not show any more, and of which
# nothing proves that they were cleared: what they were is kept.
# `digest` is that of what a mapping sees. `settled` is the digest of the programs under
# which the row last needed nothing, or the cycle that is to write what it needs.
source = Table(
    "source",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("guid", String(36), primary_key=True),
    Column("type", String(20), nullable=False),
    Column("dn", Text, nullable=False),
    Column("parent", String(36)),
    Column("anchor", String(200), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("digest", String(32), nullable=False),
    Column("settled", String(64)),
    Column("seen", JSON, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("doubted", Text),
    Index("source_guid", "guid"),
)

# What must be asked by objectGUID before anything else is decided.
inquiry = Table(
    "inquiry",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("guid", String(36), primary_key=True),
)

# The members of the scope's groups; `entered`: the import that is to ask is not over.
scope_member = Table(
    "scope_member",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("guid", String(36), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("entered", Boolean, nullable=False),
)

# Whom a row refers to, as last evaluated (manager; memberships have their own table).
reference = Table(
    "reference",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("guid", String(36), primary_key=True),
    Column("to_guid", String(36), primary_key=True),
    Index("reference_to", "to_guid"),
)

watermark = Table(
    "watermark",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("body", LargeBinary),
)
