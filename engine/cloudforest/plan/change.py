"""One change of one document, with an order and a sentence."""

from __future__ import annotations

from typing import Any, Literal

from cloudforest.model.value import Value

Action = Literal["create", "update", "rename", "delete"]

KINDS = ("Tenant", "Target", "Forest", "Agent", "Scope", "Mapping", "Job")
"""In the order in which they can be created: nothing refers to a later one."""

_VERBS = {"create": "+", "update": "~", "rename": ">", "delete": "-"}


class FieldChange(Value, frozen=True):
    """One field; `path` is in the language's words. None is absence."""

    path: str
    before: Any = None
    after: Any = None


class Change(Value, frozen=True):
    """The first field of a rename is `name`; the others are what changed besides."""

    action: Action
    kind: str
    name: str
    fields: tuple[FieldChange, ...] = ()

    @property
    def order(self) -> tuple[int, int, str]:
        """Deletions last and in reverse: nothing is ever left without its base."""
        rank = KINDS.index(self.kind)
        deleting = self.action == "delete"
        return (int(deleting), -rank if deleting else rank, self.name)

    def __str__(self) -> str:
        name = self.name
        if self.action == "rename":
            name = f"{self.fields[0].before} → {name}"
        return f"{_VERBS[self.action]} {self.kind} {name}"
