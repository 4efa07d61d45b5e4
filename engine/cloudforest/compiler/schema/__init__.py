"""Documents against their JSON Schemas: one complaint for each mistake."""

from __future__ import annotations
