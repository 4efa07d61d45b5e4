"""Layer 4: desired against registered, as a plan to show, to save and to apply."""

from __future__ import annotations
