"""What a job asks of the agents of its domain."""

from __future__ import annotations

import uuid
from typing import Any, Literal

from cloudforest.model.messages import SyncRequest
from cloudforest.model.program import ScopeProgram
from cloudforest.program.digest import attributes_to_read
from cloudforest.provisioning.run import Run


def _bound(scope: ScopeProgram, bindings: dict[str, str]) -> dict[str, str]:
    named = {*(scope.organizational_units or ()), *scope.groups}
    return {dn: guid for dn, guid in bindings.items() if dn in named}


async def request(
    run: Run, kind: Literal["import", "read"], **more: Any
) -> SyncRequest:
    """Return a request with what the job reads, and what its scope was bound to.

    A plan's scratch rows have no watermark: its scope is bound as the job's is.
    """
    held = await run.store.watermark(run.job.name)
    return SyncRequest(
        id=uuid.uuid4().hex,
        job=run.job.name,
        domain=run.job.domain,
        kind=kind,
        scope=run.program.scope,
        attributes=attributes_to_read(run.program),
        bindings=_bound(run.program.scope, held.bindings) if held else {},
        **more,
    )
