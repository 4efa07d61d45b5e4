"""What is to be written, and what a guard holds back of it."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table

from cloudforest.adapters.store.tables.metadata import metadata

# `sent` may be newer than the body's.
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

# `state` is waiting, closed or discarded; `staged` has the effects of those that wait.
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

# What each budget has borne, to be summed over its window.
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
