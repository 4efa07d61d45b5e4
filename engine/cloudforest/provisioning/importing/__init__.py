"""Import: what the agents answer, stored; absence is asked about."""

from __future__ import annotations
