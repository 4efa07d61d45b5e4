"""Provisioning: sources, links, the outbox, cycles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cloudforest.adapters.store.tables import body, keys, texts

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "source",
        *keys(job=200, guid=36),
        *texts(type=20),
        sa.Column("dn", sa.Text, nullable=False),
        sa.Column("parent", sa.String(36)),
        *texts(anchor=200),
        sa.Column("generation", sa.Integer, nullable=False),
        *texts(state=10, digest=32),
        sa.Column("settled", sa.String(64)),
        sa.Column("seen", sa.JSON, nullable=False),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("doubted", sa.Text),
    )
    op.create_index("source_guid", "source", ["guid"])
    op.create_table("inquiry", *keys(job=200, guid=36))
    op.create_table(
        "scope_member",
        *keys(job=200, guid=36),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("entered", sa.Boolean, nullable=False),
    )
    op.create_table("reference", *keys(job=200, guid=36, to_guid=36))
    op.create_index("reference_to", "reference", ["to_guid"])
    op.create_table(
        "link",
        *keys(target=200, guid=36),
        *texts(type=20, resource=400, resource_type=60, origin=10, anchor=200),
        sa.Column("written", sa.JSON, nullable=False),
        sa.Column("checked", sa.Boolean, nullable=False),
    )
    op.create_index("link_resource", "link", ["target", "resource"], unique=True)
    op.create_table(
        "membership",
        *keys(job=200, group_guid=36, member_guid=36),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("wanted", sa.Boolean, nullable=False),
        sa.Index(
            "membership_doubted",
            "job",
            "member_guid",
            unique=False,
            sqlite_where=sa.text("generation = 0"),
            postgresql_where=sa.text("generation = 0"),
        ),
    )
    op.create_table("written_member", *keys(target=200, group_guid=36, member_guid=36))
    op.create_index("written_member_of", "written_member", ["target", "member_guid"])
    op.create_table(
        "effect",
        *keys(job=200, key=120),
        *texts(guid=36, cycle=32),
        sa.Column("phase", sa.Integer, nullable=False),
        *texts(state=10),
        sa.Column("resource", sa.String(400)),
        *texts(action=20),
        sa.Column("stage", sa.String(64)),
        sa.Column("digest", sa.String(64)),
        sa.Column("next_try", sa.String(40)),
        sa.Column("sent", sa.Boolean, nullable=False),
        body(),
    )
    op.create_index("effect_due", "effect", ["job", "state", "phase", "key"])
    op.create_index("effect_resource", "effect", ["job", "resource"])
    op.create_index("effect_stage", "effect", ["stage", "key"])
    op.create_table(
        "watermark",
        *keys(job=200),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary),
    )
    op.create_table(
        "resource",
        *keys(target=200, resource_type=60, resource=400),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "resource_key",
        *keys(target=200, resource_type=60, path=200, value=400, resource=400),
    )
    op.create_table(
        "cycle", *keys(id=32), *texts(job=200, target=200, started=40, state=10), body()
    )
    op.create_index("cycle_job", "cycle", ["job", "started"])
    op.create_table("job_state", *keys(job=200), body())
    op.create_table("breaker", *keys(target=200), body())
    op.create_table(
        "allowance", *keys(stage=64), *texts(job=200, operator=200, until=40)
    )
    op.create_table(
        "stage", *keys(id=64), *texts(job=200, created=40, state=10), body()
    )
    op.create_index("stage_job", "stage", ["job", "state"])
    op.create_table(
        "staged",
        *keys(stage=64, key=120),
        *texts(job=200, guid=36, action=20, digest=64),
    )
    op.create_table(
        "spent",
        sa.Column("id", sa.Integer, primary_key=True),
        *texts(job=200, guard=30, time=40),
        sa.Column("effects", sa.Integer, nullable=False),
    )
    op.create_index("spent_budget", "spent", ["job", "guard", "time"])
    op.create_table(
        "log",
        sa.Column("id", sa.Integer, primary_key=True),
        *texts(time=40, cycle=32, job=200, object=36, name=400, action=20, status=10),
        body(),
    )
    for name in ("time", "cycle", "job", "object", "name", "action", "status"):
        op.create_index(f"log_{name}", "log", [name, "id"])
