"""The outbox, its stages, and what budgets have borne."""

from __future__ import annotations
