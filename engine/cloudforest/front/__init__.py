"""Layer 5: commands, HTTP, and the one place that puts adapters into machines."""

from __future__ import annotations
