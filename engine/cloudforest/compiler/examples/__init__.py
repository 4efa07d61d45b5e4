"""Examples: what a scope and a mapping make of one object, without any directory."""

from __future__ import annotations
