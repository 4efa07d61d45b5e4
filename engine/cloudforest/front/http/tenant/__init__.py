"""The embedded tenant directory as a SCIM 2.0 service (RFC 7643, RFC 7644)."""

from __future__ import annotations

from cloudforest.front.http.tenant.app import tenant_app

__all__ = ["tenant_app"]
