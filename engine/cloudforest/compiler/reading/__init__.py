"""Files to documents: which are read, and what YAML may say in them."""

from __future__ import annotations
