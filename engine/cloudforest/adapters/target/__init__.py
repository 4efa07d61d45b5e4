"""The SCIM 2.0 client: a target as the provisioning service sees it."""

from __future__ import annotations

from cloudforest.adapters.target.credential import BasicCredential
from cloudforest.adapters.target.scim import ScimTarget

__all__ = ["BasicCredential", "ScimTarget"]
