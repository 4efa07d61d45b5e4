"""SCIM server fixtures."""

from __future__ import annotations
