"""References and memberships: what needs two resources, after all are evaluated."""

from __future__ import annotations
