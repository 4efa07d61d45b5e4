"""Which of the jobs of a target holds an object."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from cloudforest.adapters.store.provisioning.part import Part, slices
from cloudforest.adapters.store.tables import source
from cloudforest.model.provisioning import Presence

STRONGEST_LAST: tuple[Presence, ...] = ("gone", "out", "unknown", "in")


class Holdings(Part):
    async def presences(
        self, jobs: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Presence]:
        def work(connection: Connection) -> dict[str, Presence]:
            found: dict[str, Presence] = {}
            for some in slices(ids):
                query = select(source.c.guid, source.c.state).where(
                    source.c.job.in_(jobs), source.c.guid.in_(some)
                )
                for guid, state in connection.execute(query):
                    pair = (found.get(guid, "gone"), state)
                    found[guid] = max(pair, key=STRONGEST_LAST.index)
            return found

        return await self.database.run(work)
