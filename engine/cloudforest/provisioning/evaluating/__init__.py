"""Evaluation: from source rows to effects in the outbox, and the guard over them."""

from __future__ import annotations
