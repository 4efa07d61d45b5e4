"""What mappings, filters and jobs say that can't be meant."""

from __future__ import annotations
