"""The one place that puts adapters into machines, and starts and ends processes."""

from __future__ import annotations
