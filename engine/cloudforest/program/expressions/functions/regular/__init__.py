"""Replace, and the regular expressions that it works with."""

from __future__ import annotations
