"""Layer 1: what every other package may rest on."""

from __future__ import annotations
