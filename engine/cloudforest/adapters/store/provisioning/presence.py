"""What the directory last said of an object, in SQL: who counts, and for what."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, or_

from cloudforest.adapters.store.tables import link, source


def is_held() -> ColumnElement[bool]:
    """Say in SQL: in scope, or last seen there and now not found."""
    return source.c.state.in_(("in", "unknown"))


def has_left() -> ColumnElement[bool]:
    """Say in SQL: proved to be out of scope or gone."""
    return source.c.state.in_(("out", "gone"))


def is_linked(target: str, guid: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(link.c.target == target, link.c.guid == guid)


def is_present(target: str) -> ColumnElement[bool]:
    """Say in SQL: in scope; or unknown, while linked: nobody is created for that."""
    linked = is_linked(target, source.c.guid)
    return or_(source.c.state == "in", and_(source.c.state == "unknown", linked))


def is_looked_at(target: str) -> ColumnElement[bool]:
    """Say in SQL: an evaluation looks at the row: present, or left and still linked."""
    left = and_(has_left(), is_linked(target, source.c.guid))
    return or_(is_present(target), left)


def known(job: str, target: str, guid: ColumnElement[str]) -> ColumnElement[bool]:
    """Say in SQL: in scope of the job, or linked."""
    in_scope = exists().where(
        source.c.job == job, source.c.guid == guid, source.c.state == "in"
    )
    return or_(in_scope, is_linked(target, guid))
