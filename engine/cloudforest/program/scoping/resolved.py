"""What the OUs and groups that a scope names resolve to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class ResolvedScope:
    """The scope's groups, each with its members, nested ones if asked: objectGUIDs.

    `names` are the DNs of its OUs as they are now, by those that were written.
    `partial` are the groups that may have other members than these.
    """

    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    partial: frozenset[str] = frozenset()

    @cached_property
    def members(self) -> frozenset[str]:
        return frozenset[str]().union(*self.groups.values())

    def holding(self, guid: str) -> Iterator[str]:
        """Yield the names under which being a member of each group is seen."""
        for group, members in self.groups.items():
            if guid in members:
                yield _membership(group)

    @cached_property
    def silent(self) -> frozenset[str]:
        """Return those names for the groups that may have members not shown to us."""
        return frozenset(map(_membership, self.partial))


def _membership(group: str) -> str:
    return f"member:{group}"
