"""Provisioning: sources, links, the outbox, cycles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "source",
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("dn", sa.Text(), nullable=False),
        sa.Column("parent", sa.String(length=36), nullable=True),
        sa.Column("anchor", sa.String(length=200), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("settled", sa.String(length=64), nullable=True),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("doubted", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("job", "guid"),
    )
    op.create_index("source_guid", "source", ["guid"], unique=False)
    op.create_table(
        "inquiry",
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("job", "guid"),
    )
    op.create_table(
        "scope_member",
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("entered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("job", "guid"),
    )
    op.create_table(
        "reference",
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("to_guid", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("job", "guid", "to_guid"),
    )
    op.create_index("reference_to", "reference", ["to_guid"], unique=False)
    op.create_table(
        "link",
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("resource", sa.String(length=400), nullable=False),
        sa.Column("resource_type", sa.String(length=60), nullable=False),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("anchor", sa.String(length=200), nullable=False),
        sa.Column("written", sa.JSON(), nullable=False),
        sa.Column("checked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("target", "guid"),
    )
    op.create_index("link_resource", "link", ["target", "resource"], unique=True)
    op.create_table(
        "membership",
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("group_guid", sa.String(length=36), nullable=False),
        sa.Column("member_guid", sa.String(length=36), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("job", "group_guid", "member_guid"),
        sa.Index(
            "membership_doubted",
            "job",
            "member_guid",
            unique=False,
            sqlite_where=sa.text("generation = 0"),
            postgresql_where=sa.text("generation = 0"),
        ),
    )
    op.create_table(
        "written_member",
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("group_guid", sa.String(length=36), nullable=False),
        sa.Column("member_guid", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("target", "group_guid", "member_guid"),
    )
    op.create_index(
        "written_member_of", "written_member", ["target", "member_guid"], unique=False
    )
    op.create_table(
        "effect",
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("cycle", sa.String(length=32), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("resource", sa.String(length=400), nullable=True),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("next_try", sa.String(length=40), nullable=True),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("job", "key"),
    )
    op.create_index(
        "effect_due", "effect", ["job", "state", "phase", "key"], unique=False
    )
    op.create_index("effect_resource", "effect", ["job", "resource"], unique=False)
    op.create_index("effect_stage", "effect", ["stage", "key"], unique=False)
    op.create_table(
        "watermark",
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("job"),
    )
    op.create_table(
        "resource",
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("resource_type", sa.String(length=60), nullable=False),
        sa.Column("resource", sa.String(length=400), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("target", "resource_type", "resource"),
    )
    op.create_table(
        "resource_key",
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("resource_type", sa.String(length=60), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("value", sa.String(length=400), nullable=False),
        sa.Column("resource", sa.String(length=400), nullable=False),
        sa.PrimaryKeyConstraint("target", "resource_type", "path", "value", "resource"),
    )
    op.create_table(
        "cycle",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("started", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("cycle_job", "cycle", ["job", "started"], unique=False)
    op.create_table(
        "job_state",
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("job"),
    )
    op.create_table(
        "breaker",
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("target"),
    )
    op.create_table(
        "allowance",
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("operator", sa.String(length=200), nullable=False),
        sa.Column("until", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("stage"),
    )
    op.create_table(
        "stage",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("created", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("stage_job", "stage", ["job", "state"], unique=False)
    op.create_table(
        "staged",
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("stage", "key"),
    )
    op.create_table(
        "spent",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("guard", sa.String(length=30), nullable=False),
        sa.Column("time", sa.String(length=40), nullable=False),
        sa.Column("effects", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("spent_budget", "spent", ["job", "guard", "time"], unique=False)
    op.create_table(
        "log",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("time", sa.String(length=40), nullable=False),
        sa.Column("cycle", sa.String(length=32), nullable=False),
        sa.Column("job", sa.String(length=200), nullable=False),
        sa.Column("object", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    for name in ("time", "cycle", "job", "object", "name", "action", "status"):
        op.create_index(f"log_{name}", "log", [name, "id"], unique=False)
