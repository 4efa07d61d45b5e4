"""Which of the jobs of a target holds an object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cloudforest.model.provisioning import Presence


class Holdings(Protocol):
    async def presences(
        self, jobs: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Presence]:
        """Return what the jobs say of the objects that they have rows of.

        Who is in scope of one of them is `in`, whatever the others say; then `unknown`,
        `out` and `gone`.
        """
        ...
