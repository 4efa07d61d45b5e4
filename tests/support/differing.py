"""A query that several suites of the store share."""

from __future__ import annotations

from cloudforest.model.jobs import JobKey
from cloudforest.model.ports.store import ProvisioningStore

OF_T = JobKey(job="j", siblings=("k",), target="t")


async def differing(
    store: ProvisioningStore, target: str, after: tuple[str, str], limit: int
) -> list[tuple[str, str, bool]]:
    """Return the memberships that job j, a sibling of job k, would change."""
    jobs = JobKey(job="j", siblings=("k",), target=target)
    return await store.list_membership_changes(
        jobs, "c", ("user", "group"), after, limit
    )
