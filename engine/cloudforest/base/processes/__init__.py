"""How processes and tasks end: with their parent, and when they are told to."""

from __future__ import annotations
