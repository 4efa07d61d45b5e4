"""Drift: what the target holds, against what was written and what is desired."""

from __future__ import annotations
