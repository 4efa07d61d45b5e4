"""Jobs and their cycles."""

from __future__ import annotations
