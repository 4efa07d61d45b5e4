"""The tables of the control plane's database and of the built-in directory's."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()
tenant_metadata = MetaData()

# Source objects. `state` is the presence. `seen` are the attributes by which the object
# is in scope. `doubted` are the attributes that it may hide: their values are kept
# until they are proved empty. `digest` covers what a mapping reads. `settled` is the
# digest of the programs that last needed no effect for the row, or the cycle that will
# write it.
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

# Objects that must be read by objectGUID before anything else is decided about them.
inquiry = Table(
    "inquiry",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("guid", String(36), primary_key=True),
)

# The members of the scope's groups. `entered`: new, and the import has not ended yet.
scope_member = Table(
    "scope_member",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("guid", String(36), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("entered", Boolean, nullable=False),
)

# References of a row, such as its manager, as last evaluated; without memberships.
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

# The outbox. `sent` may be newer than the one in `body`.
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
    Column("action", String(20), nullable=False),
    Column("stage", String(64)),
    Column("digest", String(64)),
    Column("next_try", String(40)),
    Column("sent", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("effect_due", "job", "state", "phase", "key"),
    Index("effect_resource", "job", "resource"),
    Index("effect_stage", "stage", "key"),
)

# `state` is waiting, closed or discarded; `staged` has the effects of waiting stages.
stage = Table(
    "stage",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("job", String(200), nullable=False),
    Column("created", String(40), nullable=False),
    Column("state", String(10), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("stage_job", "job", "state"),
)

staged = Table(
    "staged",
    metadata,
    Column("stage", String(64), primary_key=True),
    Column("key", String(120), primary_key=True),
    Column("job", String(200), nullable=False),
    Column("guid", String(36), nullable=False),
    Column("action", String(20), nullable=False),
    Column("digest", String(64), nullable=False),
)

allowance = Table(
    "allowance",
    metadata,
    Column("stage", String(64), primary_key=True),
    Column("job", String(200), nullable=False),
    Column("operator", String(200), nullable=False),
    Column("until", String(40), nullable=False),
)

# Effects charged to each budget, summed over the budget's window.
spent = Table(
    "spent",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job", String(200), nullable=False),
    Column("guard", String(30), nullable=False),
    Column("time", String(40), nullable=False),
    Column("effects", Integer, nullable=False),
    Index("spent_budget", "job", "guard", "time"),
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
    Column("checked", Boolean, nullable=False),
    Index("link_resource", "target", "resource", unique=True),
)

# `generation` is 0 after the member was deleted. If it comes back, the group must be
# read again, because a delta does not tell whether the membership came back too.
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

# The memberships that a target has because we wrote them, or found them as wanted.
written_member = Table(
    "written_member",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("group_guid", String(36), primary_key=True),
    Column("member_guid", String(36), primary_key=True),
    Index("written_member_of", "target", "member_guid"),
)

# Snapshots of targets for matching; each cycle that needs one makes its own.
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

# Lasting occurrences that operators were notified of; see `model.ports.notices`.
notice = Table(
    "notice",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("detail", String(200), primary_key=True),
    Column("sent", String(40), nullable=False),
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

job_state = Table(
    "job_state",
    metadata,
    Column("job", String(200), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# The targets that are down, with their next try.
breaker = Table(
    "breaker",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# `name` is the entry's name, casefolded for lookups.
log = Table(
    "log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", String(40), nullable=False),
    Column("cycle", String(32), nullable=False),
    Column("job", String(200), nullable=False),
    Column("object", String(36), nullable=False),
    Column("name", String(400), nullable=False),
    Column("action", String(20), nullable=False),
    Column("status", String(10), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("log_time", "time", "id"),
    Index("log_cycle", "cycle", "id"),
    Index("log_job", "job", "id"),
    Index("log_object", "object", "id"),
    Index("log_name", "name", "id"),
    Index("log_action", "action", "id"),
    Index("log_status", "status", "id"),
)

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
