"""Samba AD DC fixtures."""

from __future__ import annotations
