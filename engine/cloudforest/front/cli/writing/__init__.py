"""Commands that write documents: starter trees, imported schemas, examples."""

from __future__ import annotations
