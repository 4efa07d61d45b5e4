"""How we prove ourselves to a target: tokens, passwords, certificates."""

from __future__ import annotations
