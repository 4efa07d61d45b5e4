"""Operators and their roles: read, plan, apply, allow. Tokens are stored as hashes."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from cloudforest.base.clock import Clock
from cloudforest.base.errors import Refused, Unauthenticated
from cloudforest.model.identity import AuditRecord, Operator, Role, has_permission
from cloudforest.model.ports.identity import IdentityStore

LOCAL_OPERATOR = "local"
"""Anyone who may read the state folder; that may be several accounts."""


def hash_secret(secret: str) -> str:
    """Return the SHA-256, without a salt: our secrets are random."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True)
class Operators:
    store: IdentityStore
    clock: Clock

    async def add(self, name: str, role: Role) -> str:
        """Add an operator; return its token, which is not stored."""
        token = f"cfo_{secrets.token_urlsafe(32)}"
        operator = Operator(name=name, role=role)
        await self.store.save_operator(operator, hash_secret(token))
        return token

    async def authenticate(self, token: str) -> Operator:
        operator = await self.store.find_operator(hash_secret(token))
        if operator is None:
            raise Unauthenticated(
                "The operator's token is not valid here. Check `token:` of the Tenant, "
                "or the state folder (`--state`)."
            )
        return operator

    async def audit(self, operator: Operator, action: str, detail: str) -> None:
        now, name = self.clock(), operator.name
        record = AuditRecord(time=now, operator=name, action=action, detail=detail)
        await self.store.save_audit_record(record)


def require_role(operator: Operator, role: Role) -> None:
    """Raise Refused unless the operator's role includes this one."""
    if not has_permission(operator.role, role):
        raise Refused(
            f'"{operator.name}" has the role `{operator.role}`. This needs `{role}`.'
        )
