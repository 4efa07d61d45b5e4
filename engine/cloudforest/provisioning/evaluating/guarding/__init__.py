"""The guard: an exceeded budget stages all its effects before the first write."""

from __future__ import annotations
