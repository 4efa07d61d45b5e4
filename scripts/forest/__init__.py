"""The parts of the sample forest."""

from __future__ import annotations
