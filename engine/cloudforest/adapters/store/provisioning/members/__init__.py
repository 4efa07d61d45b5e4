"""Memberships: what the directory wants, and what we wrote."""

from __future__ import annotations
