"""What a cycle is to write, as not held back: of which objects, as which resources."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from cloudforest.adapters.store.provisioning.part import Part, slices
from cloudforest.adapters.store.tables import effect
from cloudforest.model.provisioning import PHASE_WRITE


class Intended(Part):
    async def coming(
        self, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, str | None]:
        def work(connection: Connection) -> dict[str, str | None]:
            return {
                key: resource
                for some in slices(ids)
                for key, resource, of, state in connection.execute(
                    select(
                        effect.c.key, effect.c.resource, effect.c.cycle, effect.c.state
                    ).where(effect.c.job == job, effect.c.key.in_(some))
                )
                # Asked for in SQL, SQLite would read all that is pending instead.
                if (of, state) == (cycle, "pending")
            }

        return await self.database.run(work)

    async def creations(
        self, job: str, cycle: str, ids: Sequence[str]
    ) -> dict[str, int]:
        columns = effect.c
        held = (columns.key, columns.phase, columns.resource, columns.action)

        def work(connection: Connection) -> dict[str, int]:
            return {
                key: phase
                for some in slices(ids)
                for key, phase, *rest in connection.execute(
                    select(*held, columns.cycle, columns.state).where(
                        columns.job == job, columns.key.in_(some)
                    )
                )
                if rest == [None, "create", cycle, "pending"]
            }

        return await self.database.run(work)

    async def claimed(
        self, job: str, cycle: str, resources: Sequence[str]
    ) -> dict[str, str]:
        def work(connection: Connection) -> dict[str, str]:
            return {
                resource: guid
                for some in slices(resources)
                for resource, guid in connection.execute(
                    select(effect.c.resource, effect.c.guid).where(
                        effect.c.job == job,
                        effect.c.cycle == cycle,
                        effect.c.phase == PHASE_WRITE,
                        effect.c.resource.in_(some),
                    )
                )
            }

        return await self.database.run(work)
