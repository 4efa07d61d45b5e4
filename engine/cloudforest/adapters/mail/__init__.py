"""Notices to operators, by mail."""

from __future__ import annotations
