"""What is imported, and what it is linked to."""

from __future__ import annotations
