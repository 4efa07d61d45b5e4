"""cloudforest: Active Directory forests, synced to any SCIM 2.0 cloud, as code."""

from __future__ import annotations

__version__ = "0.2.0"
