"""What the target was found to hold, in place of what was written there."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from cloudforest.adapters.store.provisioning.links.links import forget_links, save_links
from cloudforest.adapters.store.provisioning.members.memberships import forget_written
from cloudforest.adapters.store.provisioning.part import Part
from cloudforest.adapters.store.provisioning.sources.settling import referrers, unsettle
from cloudforest.model.provisioning import Link


class Found(Part):
    async def save_found(
        self, target: str, found: Sequence[Link], gone: Sequence[str]
    ) -> None:
        ids = [each.id for each in found]

        def work(connection: Connection) -> None:
            save_links(connection, target, found)
            forget_links(connection, target, gone)
            forget_written(connection, target, gone)
            unsettle(connection, [*ids, *gone, *referrers(connection, gone)])

        await self.database.run(work)
