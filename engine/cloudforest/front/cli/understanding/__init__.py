"""`status`, `logs`, `explain` and `provision`."""

from __future__ import annotations
