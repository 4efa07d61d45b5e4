"""How a job stands, and what was done."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from cloudforest.adapters.store.tables.metadata import metadata

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

# The targets that are down, each with its next try.
breaker = Table(
    "breaker",
    metadata,
    Column("target", String(200), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# `name` is that of the entry, folded, to be found by.
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
