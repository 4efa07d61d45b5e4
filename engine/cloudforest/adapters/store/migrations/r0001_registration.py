"""Registration, identity, and sent notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cloudforest.adapters.store.tables import body, keys, texts

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "registration",
        sa.Column("revision", sa.Integer, primary_key=True),
        body(),
        *texts(operator=200, time=40),
    )
    op.create_table(
        "agent",
        *keys(id=32),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
        body(),
    )
    op.create_table(
        "enrolment",
        *keys(agent=32),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        *texts(expires=40),
    )
    op.create_table("assertion", *keys(jti=64), *texts(expires=40))
    op.create_index("ix_assertion_expires", "assertion", ["expires"])
    op.create_table(
        "operator",
        *keys(name=200),
        *texts(role=10),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        *texts(time=40, operator=200, action=60),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_table("notice", *keys(kind=20, name=200, detail=200), *texts(sent=40))
