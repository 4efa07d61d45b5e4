"""A page of an answer, sorted by what it says of whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cloudforest.model.messages import (
    Gone,
    InScope,
    Members,
    Moved,
    OutOfScope,
    Record,
    ScopeMembers,
    Unknown,
)


@dataclass
class Said:
    """A page, sorted; what it says last about an object holds."""

    named: dict[str, InScope | OutOfScope | Gone] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    members: dict[tuple[str, str], bool] = field(default_factory=dict)
    scope_members: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)

    def groups(self) -> list[str]:
        """Return the groups in scope, whose records may go on in another page."""
        return [
            id_
            for id_, each in self.named.items()
            if isinstance(each, InScope) and each.type == "group"
        ]


def sort_out(records: Sequence[Record]) -> Said:
    said = Said()
    for record in records:
        match record:
            case InScope() | OutOfScope() | Gone():
                said.named[record.id] = record
            case Unknown():
                said.unknown.append(record.id)
            case Members():
                said.members |= {(record.id, each): True for each in record.add}
                said.members |= {(record.id, each): False for each in record.remove}
            case ScopeMembers():
                said.scope_members += record.ids
            case Moved():
                said.moved += record.ids
    return said
