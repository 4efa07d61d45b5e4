"""Scopes: DNs, SCIM filters, and who is in."""

from __future__ import annotations
