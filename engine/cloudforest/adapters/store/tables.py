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


def keys(**lengths: int) -> list[Column[str]]:
    """Make text columns of a primary key, by name and length."""
    return [Column(name, String(lengths[name]), primary_key=True) for name in lengths]


def texts(**lengths: int) -> list[Column[str]]:
    """Make text columns that are not null, by name and length."""
    return [Column(name, String(lengths[name]), nullable=False) for name in lengths]


def body() -> Column[bytes]:
    """Make the column of a whole value as JSON."""
    return Column("body", LargeBinary, nullable=False)


# Source objects. `state` is the presence. `seen` are the attributes by which the object
# is in scope. `doubted` are the attributes that it may hide: their values are kept
# until they are proved empty. `digest` covers what a mapping reads. `settled` is the
# digest of the programs that last needed no effect for the row, or the cycle that will
# write it.
source = Table(
    "source",
    metadata,
    *keys(job=200, guid=36),
    *texts(type=20),
    Column("dn", Text, nullable=False),
    Column("parent", String(36)),
    *texts(anchor=200),
    Column("generation", Integer, nullable=False),
    *texts(state=10, digest=32),
    Column("settled", String(64)),
    Column("seen", JSON, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("doubted", Text),
    Index("source_guid", "guid"),
)

# Objects that must be read by objectGUID before anything else is decided about them.
inquiry = Table("inquiry", metadata, *keys(job=200, guid=36))

# The members of the scope's groups. `entered`: new, and the import has not ended yet.
scope_member = Table(
    "scope_member",
    metadata,
    *keys(job=200, guid=36),
    Column("generation", Integer, nullable=False),
    Column("entered", Boolean, nullable=False),
)

# References of a row, such as its manager, as last evaluated; without memberships.
reference = Table(
    "reference",
    metadata,
    *keys(job=200, guid=36, to_guid=36),
    Index("reference_to", "to_guid"),
)

watermark = Table(
    "watermark",
    metadata,
    *keys(job=200),
    Column("generation", Integer, nullable=False),
    Column("body", LargeBinary),
)

# The outbox. `sent` may be newer than the one in `body`.
effect = Table(
    "effect",
    metadata,
    *keys(job=200, key=120),
    *texts(guid=36, cycle=32),
    Column("phase", Integer, nullable=False),
    *texts(state=10),
    Column("resource", String(400)),
    *texts(action=20),
    Column("stage", String(64)),
    Column("digest", String(64)),
    Column("next_try", String(40)),
    Column("sent", Boolean, nullable=False),
    body(),
    Index("effect_due", "job", "state", "phase", "key"),
    Index("effect_resource", "job", "resource"),
    Index("effect_stage", "stage", "key"),
)

# `state` is waiting, closed or discarded; `staged` has the effects of waiting stages.
stage = Table(
    "stage",
    metadata,
    *keys(id=64),
    *texts(job=200, created=40, state=10),
    body(),
    Index("stage_job", "job", "state"),
)

staged = Table(
    "staged",
    metadata,
    *keys(stage=64, key=120),
    *texts(job=200, guid=36, action=20, digest=64),
)

allowance = Table(
    "allowance", metadata, *keys(stage=64), *texts(job=200, operator=200, until=40)
)

# Effects charged to each budget, summed over the budget's window.
spent = Table(
    "spent",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    *texts(job=200, guard=30, time=40),
    Column("effects", Integer, nullable=False),
    Index("spent_budget", "job", "guard", "time"),
)

link = Table(
    "link",
    metadata,
    *keys(target=200, guid=36),
    *texts(type=20, resource=400, resource_type=60, origin=10, anchor=200),
    Column("written", JSON, nullable=False),
    Column("checked", Boolean, nullable=False),
    Index("link_resource", "target", "resource", unique=True),
)

# `generation` is 0 after the member was deleted. If it comes back, the group must be
# read again, because a delta does not tell whether the membership came back too.
membership = Table(
    "membership",
    metadata,
    *keys(job=200, group_guid=36, member_guid=36),
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
    *keys(target=200, group_guid=36, member_guid=36),
    Index("written_member_of", "target", "member_guid"),
)

# Snapshots of targets for matching; each cycle that needs one makes its own.
resource = Table(
    "resource",
    metadata,
    *keys(target=200, resource_type=60, resource=400),
    Column("body", JSON, nullable=False),
)

resource_key = Table(
    "resource_key",
    metadata,
    *keys(target=200, resource_type=60, path=200, value=400, resource=400),
)

registration = Table(
    "registration",
    metadata,
    Column("revision", Integer, primary_key=True),
    body(),
    *texts(operator=200, time=40),
)

agent = Table(
    "agent",
    metadata,
    *keys(id=32),
    Column("name", String(200), nullable=False, unique=True),
    body(),
)

enrolment = Table(
    "enrolment",
    metadata,
    *keys(agent=32),
    Column("token_hash", String(64), nullable=False, unique=True),
    *texts(expires=40),
)

assertion = Table(
    "assertion",
    metadata,
    *keys(jti=64),
    Column("expires", String(40), nullable=False, index=True),
)

operator = Table(
    "operator",
    metadata,
    *keys(name=200),
    *texts(role=10),
    Column("token_hash", String(64), nullable=False, unique=True),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    *texts(time=40, operator=200, action=60),
    Column("detail", Text, nullable=False),
)

# Lasting occurrences that operators were notified of; see `model.ports.notices`.
notice = Table(
    "notice", metadata, *keys(kind=20, name=200, detail=200), *texts(sent=40)
)

cycle = Table(
    "cycle",
    metadata,
    *keys(id=32),
    *texts(job=200, target=200, started=40, state=10),
    body(),
    Index("cycle_job", "job", "started"),
)

job_state = Table(
    "job_state", metadata, *keys(job=200), Column("body", LargeBinary, nullable=False)
)

# The targets that are down, with their next try.
breaker = Table(
    "breaker", metadata, *keys(target=200), Column("body", LargeBinary, nullable=False)
)

# `name` is the entry's name, casefolded for lookups.
log = Table(
    "log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    *texts(time=40, cycle=32, job=200, object=36, name=400, action=20, status=10),
    body(),
    *(
        Index(f"log_{name}", name, "id")
        for name in ("time", "cycle", "job", "object", "name", "action", "status")
    ),
)

tenant_resource = Table(
    "tenant_resource",
    tenant_metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    *texts(type=20),
    Column("version", Integer, nullable=False),
    *texts(created=40, modified=40),
    body(),
    Index("tenant_resource_type", "type", "sequence"),
)

tenant_key = Table(
    "tenant_key",
    tenant_metadata,
    *keys(type=20, path=100, value=400, id=36),
    Index("tenant_key_id", "id"),
)

tenant_member = Table(
    "tenant_member",
    tenant_metadata,
    *keys(group_id=36, member_id=100),
    body(),
    Index("tenant_member_member", "member_id"),
)
