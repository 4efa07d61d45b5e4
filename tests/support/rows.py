"""Rows of a job: source objects, links, effects."""

from __future__ import annotations

from cloudforest.model.cycles import (
    Watermark,
)
from cloudforest.model.effects import Effect
from cloudforest.model.messages import InScope
from cloudforest.model.source import Link

MARK = Watermark(value="1", digest="d", directory="x", bindings={})


def person(id_: str, *, kind: str = "user", **attributes: str) -> InScope:
    return InScope(
        id=id_,
        type=kind,  # type: ignore[arg-type]
        dn=f"CN={id_}",
        parent=None,
        anchor=id_,
        attributes={name: (value,) for name, value in attributes.items()},
    )


def effect(id_: str, **fields) -> Effect:
    return Effect(
        key=id_,
        id=id_,
        type="user",
        resource_type="User",
        action="create",
        phase=1,
        anchor=id_,
        **fields,
    )


def link(id_: str) -> Link:
    return Link(
        object_guid=id_,
        type="user",
        resource=f"r-{id_}",
        resource_type="User",
        origin="created",
        source_anchor=id_,
        last_written={"userName": id_, "active": True},
    )
