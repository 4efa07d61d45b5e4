"""The state of the control plane, as tables.

`source`, `link`, `membership`, `effect` and `watermark` are what makes a cycle safe to
kill: a page and its cursor are stored in one transaction, and an effect leaves the
outbox in the transaction that stores its outcome.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()
tenant_metadata = MetaData()
"""The embedded tenant directory has a database of its own."""

# --- registration and identity -------------------------------------------------------

registration = Table(
    "registration",
    metadata,
    Column("revision", Integer, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("operator", String(200), nullable=False),
    Column("time", String(40), nullable=False),
)

agent = Table(
    "agent",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
)

enrolment = Table(
    "enrolment",
    metadata,
    Column("agent", String(32), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("expires", String(40), nullable=False),
)

assertion = Table(
    "assertion",
    metadata,
    Column("jti", String(64), primary_key=True),
    Column("expires", String(40), nullable=False, index=True),
)

operator = Table(
    "operator",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("role", String(10), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", String(40), nullable=False),
    Column("operator", String(200), nullable=False),
    Column("action", String(60), nullable=False),
    Column("detail", Text, nullable=False),
)

# --- provisioning --------------------------------------------------------------------

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
    Column("in_scope", Boolean, nullable=False),
    Column("attributes", JSON, nullable=False),
)

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
    Index("link_resource", "target", "resource", unique=True),
)

membership = Table(
    "membership",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("group_guid", String(36), primary_key=True),
    Column("member_guid", String(36), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("wanted", Boolean, nullable=False),
)

# The memberships that a target holds because we wrote them, or found them wanted.
written_member = Table(
    "written_member",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("group_guid", String(36), primary_key=True),
    Column("member_guid", String(36), primary_key=True),
)

effect = Table(
    "effect",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("key", String(120), primary_key=True),
    Column("guid", String(36), nullable=False),
    Column("cycle", String(32), nullable=False),
    Column("phase", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("resource", String(400)),
    Column("body", LargeBinary, nullable=False),
    Index("effect_due", "job", "state", "phase", "key"),
    Index("effect_resource", "job", "resource"),
)

# `whole` is the generation of the last complete full read.
watermark = Table(
    "watermark",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("whole", Integer, nullable=False),
    Column("body", LargeBinary),
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

cycle = Table(
    "cycle",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("job", String(200), nullable=False),
    Column("target", String(200), nullable=False),
    Column("started", String(40), nullable=False),
    Column("state", String(10), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("cycle_job", "job", "started"),
)

allowance = Table(
    "allowance",
    metadata,
    Column("stage", String(64), primary_key=True),
    Column("job", String(200), nullable=False),
    Column("operator", String(200), nullable=False),
    Column("until", String(40), nullable=False),
)

log = Table(
    "log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", String(40), nullable=False),
    Column("cycle", String(32), nullable=False),
    Column("job", String(200), nullable=False),
    Column("object", String(36), nullable=False),
    Column("action", String(20), nullable=False),
    Column("status", String(10), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("log_object", "job", "object"),
)

# --- the embedded tenant directory ---------------------------------------------------

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
