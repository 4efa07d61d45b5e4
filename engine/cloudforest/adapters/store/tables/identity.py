"""What is registered, and who may do what."""

from __future__ import annotations

from sqlalchemy import Column, Integer, LargeBinary, String, Table, Text

from cloudforest.adapters.store.tables.metadata import metadata

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

# What operators were told and still holds; see `model.notices.Occurrence`.
notice = Table(
    "notice",
    metadata,
    Column("kind", String(20), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("detail", String(200), primary_key=True),
    Column("sent", String(40), nullable=False),
)
