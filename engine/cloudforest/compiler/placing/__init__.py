"""Where something is written, and the line that shows it."""

from __future__ import annotations
