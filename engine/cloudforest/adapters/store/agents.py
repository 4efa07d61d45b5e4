"""The agents' records, which begin, change and end with what is registered."""

from __future__ import annotations

import uuid

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from cloudforest.adapters.store import tables
from cloudforest.model.identity import AgentRecord
from cloudforest.model.registration import Agent, Registration
from cloudforest.model.renames import Rename


def keep_agents(connection: Connection, registration: Registration) -> None:
    """Give each agent registered a record, and forget those no longer there.

    In the transaction that registers them: no kill comes in between.
    """
    known = {each.name: each for each in read_agents(connection)}
    wanted = {each.name: each for each in registration.agents}
    for name in known.keys() - wanted.keys():
        _forget(connection, known[name].id)
    for name, agent in wanted.items():
        save_agent(connection, _record(known.get(name), agent))


def read_agents(connection: Connection) -> list[AgentRecord]:
    table = tables.agent
    bodies = connection.execute(select(table.c.body).order_by(table.c.name)).scalars()
    return [msgspec.json.decode(body, type=AgentRecord) for body in bodies]


def _record(known: AgentRecord | None, agent: Agent) -> AgentRecord:
    if known is None:
        return AgentRecord(id=uuid.uuid4().hex, name=agent.name, domains=agent.domains)
    return msgspec.structs.replace(known, domains=agent.domains)


def save_agent(connection: Connection, agent: AgentRecord) -> None:
    """Insert or replace by id."""
    table = tables.agent
    connection.execute(delete(table).where(table.c.id == agent.id))
    row = {"id": agent.id, "name": agent.name, "body": msgspec.json.encode(agent)}
    connection.execute(insert(table), row)


def _forget(connection: Connection, agent: str) -> None:
    """Forget it with its token, if it has one that is yet to be used."""
    connection.execute(delete(tables.agent).where(tables.agent.c.id == agent))
    enrolment = tables.enrolment
    connection.execute(delete(enrolment).where(enrolment.c.agent == agent))


def rename_agent(connection: Connection, rename: Rename) -> None:
    """Give the record another name: id and certificate stay, so it stays enrolled."""
    agent = tables.agent
    body = connection.execute(
        select(agent.c.body).where(agent.c.name == rename.before)
    ).scalar()
    if body is None:
        return
    record = msgspec.json.decode(body, type=AgentRecord)
    renamed = msgspec.structs.replace(record, name=rename.after)
    connection.execute(
        update(agent)
        .where(agent.c.id == record.id)
        .values(name=rename.after, body=msgspec.json.encode(renamed))
    )
