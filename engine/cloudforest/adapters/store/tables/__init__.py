"""The state of the control plane and of the embedded tenant directory, as tables."""

from __future__ import annotations

from cloudforest.adapters.store.tables.identity import (
    agent,
    assertion,
    audit,
    enrolment,
    notice,
    operator,
    registration,
)
from cloudforest.adapters.store.tables.metadata import metadata, tenant_metadata
from cloudforest.adapters.store.tables.provisioning import (
    allowance,
    breaker,
    cycle,
    effect,
    inquiry,
    job_state,
    link,
    log,
    membership,
    reference,
    resource,
    resource_key,
    scope_member,
    source,
    spent,
    stage,
    staged,
    watermark,
    written_member,
)
from cloudforest.adapters.store.tables.tenant import (
    tenant_key,
    tenant_member,
    tenant_resource,
)

__all__ = [
    "agent",
    "allowance",
    "assertion",
    "audit",
    "breaker",
    "cycle",
    "effect",
    "enrolment",
    "inquiry",
    "job_state",
    "link",
    "log",
    "membership",
    "metadata",
    "notice",
    "operator",
    "reference",
    "registration",
    "resource",
    "resource_key",
    "scope_member",
    "source",
    "spent",
    "stage",
    "staged",
    "tenant_key",
    "tenant_member",
    "tenant_metadata",
    "tenant_resource",
    "watermark",
    "written_member",
]
