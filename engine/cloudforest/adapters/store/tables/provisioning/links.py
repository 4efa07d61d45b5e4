"""What is ours in a target, and a picture of it to match by."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, Integer, String, Table, text

from cloudforest.adapters.store.tables.metadata import metadata

link = Table(
    "link",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("guid", String(36), primary_key=True),
    Column("type", String(20), nullable=False),
    Column("resource", String(400), nullable=False),
    Column("resource_type", String(60), nullable=False),
    Column("origin", String(10), nullable=False),
    Column("anchor", String(200), nullable=False),
    Column("written", JSON, nullable=False),
    Column("checked", Boolean, nullable=False),
    Index("link_resource", "target", "resource", unique=True),
)

# `generation` is 0 since the member was deleted: should it come back, the group must be
# read again, since nothing says whether its memberships came back as well.
membership = Table(
    "membership",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("group_guid", String(36), primary_key=True),
    Column("member_guid", String(36), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("wanted", Boolean, nullable=False),
    Index(
        "membership_doubted",
        *("job", "member_guid"),
        sqlite_where=text("generation = 0"),
        postgresql_where=text("generation = 0"),
    ),
)

# The memberships that a target holds because we wrote them, or found them wanted.
written_member = Table(
    "written_member",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("group_guid", String(36), primary_key=True),
    Column("member_guid", String(36), primary_key=True),
    Index("written_member_of", "target", "member_guid"),
)

# The picture of a target that matching looks in, made anew by each cycle that needs it.
resource = Table(
    "resource",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("resource_type", String(60), primary_key=True),
    Column("resource", String(400), primary_key=True),
    Column("body", JSON, nullable=False),
)

resource_key = Table(
    "resource_key",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("resource_type", String(60), primary_key=True),
    Column("path", String(200), primary_key=True),
    Column("value", String(400), primary_key=True),
    Column("resource", String(400), primary_key=True),
)
